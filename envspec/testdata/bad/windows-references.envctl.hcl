environment "shop" {}
credential "db" {
  username = "x"
  generate {}
}
windows "pas" {
  source "sandbox" {}
  port "api" { guest = 8080 }
  image = "x"
  ports = [80]
  healthcheck {
    test = "x"
  }
}
container "web" {
  image = "nginx"
  env = {
    A = windows.pas.address
    B = windows.pas.port.api.url
    C = "http://${windows.pas.ip}:8080"
    D = credential.db
    E = "${credential.db.user}"
    F = container.web.ports.http
    G = windows.pas.port.8080
  }
}

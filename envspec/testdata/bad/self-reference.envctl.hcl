environment "shop" {}
container "web" {
  image      = "nginx"
  depends_on = [container.web]
  port "http" { guest = 80 }
  env = { OWN = container.web.port.http.address }
}

environment "shop" {}
container "web" {
  image       = "nginx"
  ports       = ["80:80"]
  environment = { A = "b" }
  volumes     = ["data:/data"]
  healthcheck {
    test = ["curl", "localhost"]
  }
}
service "db" {
  image = "postgres"
}
services {
  web = "x"
}

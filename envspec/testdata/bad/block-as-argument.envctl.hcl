environment "shop" {}
container "web" {
  image = "nginx"
  port = {
    guest = 80
  }
  build = "."
}

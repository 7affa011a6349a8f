environment "shop" {}
container "web" {
  image = "nginx"
  env {
    A = "b"
  }
}

environment "shop" {}
container "web" {
  image = "nginx:${TAG:-latest}"
}

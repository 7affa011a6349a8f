environment "shop" {}
container "web" {
  image = nginx:latest
}

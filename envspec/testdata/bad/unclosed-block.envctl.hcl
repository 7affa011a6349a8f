environment "shop" {}
container "web" {
  image = "nginx"

container "db" {
  image = "postgres"
}

environment "shop" {}
container "web" {
  image = "nginx"
  build { inline = "FROM scratch" }
}
container "db" {
  command = ["postgres"]
}

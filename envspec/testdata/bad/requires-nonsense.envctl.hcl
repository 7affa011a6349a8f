environment "shop" {
  requires = "new"
}
container "web" { image = "nginx" }

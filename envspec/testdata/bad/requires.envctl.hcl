environment "shop" {
  requires = ">= 9.0"
}
container "web" { image = "nginx" }

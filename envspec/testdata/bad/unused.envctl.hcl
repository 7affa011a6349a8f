environment "shop" {}
variable "tag" { default = "1" }
credential "db" {
  username = "x"
  generate {}
}
container "web" { image = "nginx" }

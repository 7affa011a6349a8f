environment "shop" {}
container "web" { image = "nginx" }
container "web" { image = "caddy" }
container "api" {
  image = "api"
  port "http" { guest = 80 }
  port "http" { guest = 81 }
  ready { exec = ["a"] }
  ready { exec = ["b"] }
}
variable "x" { default = 1 }
variable "x" { default = var.x }
locals { a = 1 }
locals { a = 2 }
output "o" { value = "${local.a}${var.x}" }
output "o" { value = "again" }

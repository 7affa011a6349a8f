environment "shop" {}
variable "guest" {
  type    = number
  default = null
}
container "web" {
  image = null
  port "http" { guest = var.guest }
}
output "o" { value = null }

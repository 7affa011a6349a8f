environment "shop" {
  required_version = ">= 1"
}
variable "a" {
  type     = "string"
  value    = "x"
  nullable = false
}
variable "b" {
  type = map
  default = {}
}
variable "c" {
  default = "x"
  validation {
    condition = var.c != ""
  }
}
local { x = 1 }
output "p" { value = container.web.port.http }
output "l" { value = locals.x }
output "v" { value = variable.a }
container "web" {
  image = "nginx"
  port "http" { guest = 80 }
}
output "all" { value = [var.a, var.b, var.c] }

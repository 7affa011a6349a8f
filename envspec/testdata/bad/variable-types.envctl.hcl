environment "shop" {}
variable "a" {
  type    = strin
  default = "x"
}
variable "b" {
  type    = number
  default = "many"
}
variable "c" {
  type    = object({ name = string, port = optional(number, 80) })
  default = { nme = "x" }
}
variable "d" {
  type = list(string)
  default = local.x
}
locals { x = ["a"] }
output "all" { value = [var.a, var.b, var.c, var.d, local.x] }
variable "e" {
  type      = list(string)
  default   = "abc"
  sensitive = true
}
output "e" { value = var.e }

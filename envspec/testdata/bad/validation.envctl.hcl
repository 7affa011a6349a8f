environment "shop" {}
variable "size" {
  type    = number
  default = 12
  validation {
    condition     = var.size <= 10
    error_message = "At most ten nodes."
  }
  validation {
    condition     = local.max > var.size
    error_message = "x"
  }
}
locals { max = 5 }
container "web" {
  image = "nginx"
  env   = { SIZE = var.size, M = local.max }
}

environment "shop" {}
variable "image_tag" { default = "1" }
locals { port = 80 }
credential "admin" {
  username = "root"
  generate {}
}
container "web" {
  image = "nginx:${var.imagetag}"
  env = {
    PORT = local.prt
    USER = credential.amdin.username
    PASS = credential.admin.pasword
    TAG  = var.image_tag
    P2   = local.port
  }
}

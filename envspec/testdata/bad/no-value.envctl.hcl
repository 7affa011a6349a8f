environment "shop" {}
variable "pas_host" {
  type = string
}
windows "pas" {
  source "host" { address = var.pas_host }
  winrm { credential = credential.admin }
}
credential "admin" {
  env {
    username = "U"
    password = "P"
  }
}

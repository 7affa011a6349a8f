environment "shop" {}
credential "db" {
  username = "app"
  generate {}
}
variable "token" {
  type      = string
  sensitive = true
  default   = "abc"
}
container "web" {
  image = "nginx:${var.token}"
  env = {
    A                            = credential.db.password == "x" ? "yes" : "no"
    (credential.db.password)     = "key"
    B                            = [for x in ["a"] : x if var.token == "abc"][0]
    C                            = parseint(credential.db.password, 10)
  }
}
container "each" {
  for_each = { (var.token) = 1 }
  image    = "x"
}
container "each2" {
  for_each = toset([var.token])
  image    = "x"
}

environment "shop" {}
locals {
  a = "${local.b}!"
  b = local.c
  c = upper(local.a)
  d = local.d
}
container "web" {
  image = "nginx"
  env   = { A = local.a }
}

environment "shop" {}
container "web" {
  image = "nginx"
  env   = { A = trimspce(" x "), B = base64("x"), C = cidrhost("10.0.0.0/8", 1) }
}

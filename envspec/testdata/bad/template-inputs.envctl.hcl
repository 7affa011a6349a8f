environment "shop" {}
container "web" {
  image = "nginx"
  dynamic "env" {
    for_each = { A = "b" }
    content {
      name  = env.key
      value = env.value
    }
  }
}
template "m" {
  source = "./tpl"
  name   = "x"
  count  = 2
}

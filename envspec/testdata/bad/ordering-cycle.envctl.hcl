environment "shop" {}
container "a" {
  image = "a"
  port "http" { guest = 80 }
  env = { B = local.b }
}
locals { b = container.b.port.http.url }
container "b" {
  image = "b"
  port "http" {
    guest  = 80
    scheme = "http"
  }
  env = { C = "${windows.c.port.x.address}/path" }
}
windows "c" {
  source "sandbox" {}
  port "x" { guest = 1 }
  depends_on = [container.a]
}

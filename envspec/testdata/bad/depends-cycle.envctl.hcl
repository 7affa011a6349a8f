environment "shop" {}
container "a" {
  image      = "a"
  depends_on = [container.b]
}
container "b" {
  image      = "b"
  depends_on = [container.c]
}
container "c" {
  image = "c"
  port "x" { guest = 1 }
  env   = { B = container.d.port.x.address }
}
container "d" {
  image = "d"
  port "x" { guest = 1 }
  env   = { C = container.c.port.x.address }
}
container "e" {
  image      = "e"
  depends_on = [container.f]
}
container "f" {
  image = "f"
  depends_on = [container.e]
}

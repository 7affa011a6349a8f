environment "shop" {}
container "a" {
  image = "a"
  port "x" { guest = 1 }
  env = {
    A = unordered()
    B = unordered(container.a)
    C = unordred(container.a.port.x.address)
  }
}

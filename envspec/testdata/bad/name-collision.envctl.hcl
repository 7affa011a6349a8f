environment "shop" {}
container "node" {
  for_each = toset(["a"])
  image    = "node"
}
container "node-a" { image = "node" }
container "pas" { image = "x" }
windows "pas" {
  source "sandbox" {}
}

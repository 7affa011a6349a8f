environment "shop" {}
container "node" {
  for_each = ["a", "b"]
  image    = "node"
  port "http" { guest = 80 }
  env = { PEERS = join(",", [for n in container.node : n.port.http.address]) }
}

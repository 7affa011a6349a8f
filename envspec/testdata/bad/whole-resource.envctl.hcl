environment "shop" {}
credential "db" {
  username = "app"
  generate {}
}
container "db" {
  image = "postgres:17"
  port "sql" { guest = 5432 }
}
container "node" {
  for_each = toset(["a", "b"])
  image    = "node"
  port "http" { guest = 80 }
}
container "web" {
  image = "nginx"
  env = {
    A = jsonencode(container.db)
    B = jsonencode(container.node)
    C = jsonencode(values(container.node)[0])
    D = jsonencode(credential.db)
    E = container.node.port.http.address
    F = container.db["a"].port.sql.address
    G = container.node["c"].port.http.address
    H = container
  }
}

environment "shop" {}
variable "name" { default = "shop" }
variable "sizes" { default = { small = 1, large = 2 } }
container "db" {
  image = "postgres"
  port "sql" { guest = 5432 }
}
container "web" {
  for_each = toset(["a"])
  image    = "nginx"
  env = {
    A = container.bd.port.sql.address
    B = var.nmae
    C = var.sizes.samll
    D = var.sizes[each.key]
    E = var.name.length
    F = container.web[each.key].prot.http.address
    G = container.web["b"].port.sql.address
  }
}

environment "shop" {}
container "db" {
  image = "postgres:17"
  port "sql" { guest = 5432 }
}
locals { db = container.db.port.sql.address }
credential "c" {
  username = "a"
  generate {}
}
container "web" {
  for_each = toset([container.db.port.sql.host])
  image    = "nginx:${local.db}"
  port "http" { guest = container.db.port.sql.port }
  build {
    inline = "FROM scratch"
    args   = { SECRET = credential.c.password }
  }
}

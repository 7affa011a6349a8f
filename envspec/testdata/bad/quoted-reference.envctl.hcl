environment "shop" {}
container "db" {
  image = "postgres"
  port "sql" { guest = 5432 }
}
container "web" {
  image = "nginx"
  env   = { DB = container.db.port.sql, PORTS = container.db.port }
}

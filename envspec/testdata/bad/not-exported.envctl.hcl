environment "shop" {}
container "db" {
  image = "postgres:17"
  env   = { POSTGRES_DB = "shop" }
  port "sql" { guest = 5432 }
}
container "web" {
  image = "nginx"
  env = {
    DB   = container.db.env.POSTGRES_DB
    HOST = container.db.host
    SQL  = container.db.sql.address
    URL  = container.db.port.sql.url
    IP   = container.db.ip
  }
}

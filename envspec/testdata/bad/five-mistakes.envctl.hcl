environment "shop" {}

container "db" {
  imgae = "postgres:17"
  port "sql" { guest = "5432a" }
}

container "web" {
  image = "nginx:1.27"
  env = {
    DB_URL = container.db.port.sq.address
    NAME   = upperr("x")
  }
  ready {
    http { port = "web" }
  }
}

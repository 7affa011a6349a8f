environment "shop" {}
container "db" {
  image = "postgres:17"
  port "sql" { guest = 5432 }
}
container "web" {
  image = "nginx"
  env = {
    A = container.dbb.port.sql.address
    B = container.db.port.sqll.address
    C = container.db.port.sql.adress
    D = contaner.db.port.sql.address
    E = container.db.prt.sql.address
    F = db.port.sql.address
    G = windows.db.port.sql.address
  }
}

environment "shop" {}
container "db" {
  image = "postgres"
  port "sql" { guest = 5432 }
}
container "web" {
  image      = "nginx"
  depends_on = [container.db]
}

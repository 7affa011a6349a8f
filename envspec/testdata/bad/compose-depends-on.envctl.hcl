environment "shop" {}
container "db" { image = "postgres:17" }
container "a" {
  image      = "nginx"
  depends_on = ["db"]
}
container "b" {
  image      = "nginx"
  depends_on = { db = { condition = "service_healthy" } }
}
container "c" {
  image      = "nginx"
  depends_on = ["redis"]
}

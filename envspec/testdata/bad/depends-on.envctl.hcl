environment "shop" {}
container "db" { image = "x" }
container "a" {
  image      = "x"
  depends_on = ["container.db"]
}
container "b" {
  image      = "x"
  depends_on = container.db
}
container "c" {
  image      = "x"
  depends_on = [container.dbb, db, container.db.port, container.c]
}

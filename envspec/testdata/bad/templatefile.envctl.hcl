environment "shop" {}
container "db" {
  image = "x"
  port "sql" { guest = 1 }
}
container "web" {
  image = "nginx"
  env = {
    A = templatefile("tpl/page.tpl", { titel = "x" })
    B = templatefile("tpl/broken.tpl", {})
    C = templatefile("tpl/page.tpl", "x")
    D = file("tpl")
  }
}

environment "shop" {}
credential "a" {
  username = "x"
}
credential "b" {
  username = "x"
  generate {}
  env { password = "P" }
}
credential "c" {
  username = "x"
  generate { length = 4 }
}
credential "d" {
  username = "x"
  env {
    username = "U"
    password = "P"
  }
}
container "web" {
  image = "nginx"
  env   = { A = credential.a.password, B = credential.b.password, C = credential.c.password, D = credential.d.password }
}

environment "shop" {}
container "my web" { image = "nginx" }
container "9lives" { image = "nginx" }
container "" { image = "nginx" }
container { image = "nginx" }
container "a" "b" { image = "nginx" }
locals "x" { a = 1 }
container "ok" {
  image = "x"
  port "a b" { guest = 1 }
}

environment "shop" {}
container "web" {
  image = "nginx"
  port "http" { guest = "80:80" }
  port "https" { guest = 443.5 }
  port "neg" { guest = -1 }
  port "pin" {
    guest = 80
    host  = "auto"
  }
  port "one" {
    guest = 81
    host  = 8080
  }
  port "two" {
    guest = 82
    host  = 8080
  }
}

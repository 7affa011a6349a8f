environment "shop" {}
container "a" {
  image = "nginx"
  port "http" {
    guest = 80
    host  = 8080
  }
}
container "b" {
  for_each = toset(["x", "y"])
  image    = "nginx"
  port "http" {
    guest = 80
    host  = 8080
  }
  port "dns" {
    guest    = 53
    host     = 8080
    protocol = "udp"
  }
}

environment "shop" {}
container "web" {
  image = "nginx"
  port "http" { guest = 80 }
  ready {
    tcp { port = "htpp" }
  }
}
container "number" {
  image = "nginx"
  port "http" { guest = 80 }
  ready {
    http { port = 80 }
  }
}
container "none" {
  image = "nginx"
  ready {
    tcp { port = "http" }
  }
}
container "nothing" {
  image = "nginx"
  ready { timeout = "5s" }
}
container "both" {
  image = "nginx"
  port "http" { guest = 80 }
  ready {
    exec = ["true"]
    tcp { port = "http" }
  }
}
container "udp" {
  image = "dns"
  port "dns" {
    guest    = 53
    protocol = "udp"
  }
  ready {
    tcp { port = "dns" }
  }
}

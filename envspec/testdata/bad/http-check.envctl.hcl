environment "shop" {}
container "web" {
  image = "nginx"
  port "http" { guest = 80 }
  ready {
    http {
      port   = "http"
      path   = "health"
      status = 99
    }
  }
}
container "url" {
  image = "nginx"
  ready {
    http { url = "http://localhost/health" }
  }
}
container "log" {
  image = "nginx"
  ready {
    log { pattern = "[" }
  }
}

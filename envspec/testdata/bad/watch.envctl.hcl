environment "shop" {}
container "nothing-to-do" {
  build { inline = "FROM scratch" }
  watch { paths = ["tpl"] }
}
container "nothing-to-watch" {
  image = "nginx"
  watch {
    paths = []
    sync  = "/app"
  }
}
container "nothing-to-build" {
  image = "nginx"
  watch {
    paths   = ["tpl", "nowhere"]
    rebuild = ["go.mod"]
  }
}
container "wrong" {
  build { inline = "FROM scratch" }
  watch {
    paths  = ["tpl"]
    sync   = "app"
    ignore = ["[", "!"]
  }
  watch {
    path   = "tpl"
    target = "/app"
  }
}
container "mounted" {
  image = "nginx"
  tmpfs = ["/run:size=1m"]
  volume "src" {
    source = "tpl"
    target = "/src"
  }
  watch {
    paths = ["tpl"]
    sync  = "/src/tpl"
  }
  watch {
    paths = ["tpl"]
    sync  = "/run"
  }
}
container "fixed" {
  image     = "nginx"
  read_only = true
  watch {
    paths = ["tpl"]
    sync  = "/app"
  }
}
container "where" {
  image = "nginx"
  port "http" { guest = 80 }
  watch {
    paths = ["tpl"]
    sync  = "/${container.where.port.http.host}"
  }
}
variable "token" {
  default   = "plain"
  sensitive = true
}
container "secret" {
  image = "nginx"
  watch {
    paths = ["tpl"]
    sync  = "/${var.token}"
  }
}

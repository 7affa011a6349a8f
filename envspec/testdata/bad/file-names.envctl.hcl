environment "shop" {}
container "web" {
  image = "nginx"
  build = { context = "." }
  file "setup.exe" { source = "setup.exe" }
  file "/etc/nginx.conf" { content = "setup.exe" }
  watch {
    path   = "tpl"
    target = "/app"
    action = "sync"
  }
  logging {
    driver = "json-file"
    max-size = "10m"
  }
}

environment "shop" {}
job "migrate" {
  image   = "app"
  restart = "no"
  port "http" { guest = 80 }
  ready { exec = ["true"] }
}
container "web" {
  image = "nginx"
  volume "./src" { target = "/src" }
  volume "cfg" { target = "/etc/x:ro" }
  volume "named" {
    source = "data"
    target = "/data"
  }
  env = { J = job.migrate.exit_code }
}

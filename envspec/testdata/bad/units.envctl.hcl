environment "shop" {}
container "web" {
  image      = "nginx"
  memory     = "512 megs"
  stop_grace = 10
  cpus       = -1
  ready {
    exec     = []
    interval = "5 seconds"
    timeout  = "-5s"
    retries  = 1.5
  }
}

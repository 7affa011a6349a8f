environment "shop" {}
container "web" {
  image    = "nginx"
  memory   = 512
  shm_size = "64"
  restart  = true
  stop_grace = 30
  ready {
    test     = ["CMD", "curl", "localhost"]
    interval = 5
  }
}
container "db" {
  image = "postgres"
  ready { exec = ["CMD-SHELL", "pg_isready -U shop"] }
}

environment "shop" {}
container "web" {
  image          = "nginx"
  env_file       = ".env"
  networks       = ["back"]
  container_name = "web1"
  network_mode   = "host"
  links          = ["db"]
  tty            = true
  deploy {
    replicas = 2
  }
}
networks {
  back = {}
}

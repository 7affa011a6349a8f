environment "shop" {}
container "web" {
  image   = ["nginx"]
  command = "npm start"
  env     = ["A=b"]
  memory  = "lots"
  cpus    = "two"
  init    = "maybe"
  restart = "allways"
  stop_grace = "10"
  port "http" {
    guest    = 99999
    protocol = "http"
  }
  labels = { a = ["x"] }
}

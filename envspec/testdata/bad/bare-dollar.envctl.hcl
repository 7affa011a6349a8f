environment "shop" {}
container "web" {
  image = "nginx"
  ready = { http = "/health" }
  build {
    context = "."
    args = ["A=b"]
  }
  env = {
    A = $HOME
  }
}

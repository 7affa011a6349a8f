environment "shop" {}
container "web" {
  image = "nginx"
  env = {
    LIST = ["a"]
    MAP  = { a = 1 }
    OK   = 1
    "A=B" = "c"
  }
  tmpfs       = "/tmp"
  cap_add     = [["NET_ADMIN"]]
  extra_hosts = ["db:10.0.0.1"]
}

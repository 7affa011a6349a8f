environment "shop" {}
container "web" {
  image = "nginx"
  port "http" {}
  volume "data" {}
}
output "x" {}
windows "pas" {
  source "host" {}
}

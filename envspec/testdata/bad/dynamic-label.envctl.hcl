environment "shop" {}
container "web" {
  image = "nginx"
  dynamic "port" {
    for_each = ["http", "http"]
    labels   = [port.value]
    content { guest = prt.key }
  }
  dynamic "volume" {
    for_each = ["a"]
    labels   = ["x"]
  }
  dynamic { for_each = [] }
}

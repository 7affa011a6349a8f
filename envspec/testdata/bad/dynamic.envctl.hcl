environment "shop" {}
container "a" {
  image = "x"
  dynamic "prt" {
    for_each = [1]
    content { guest = 1 }
  }
  dynamic "port" {
    for_each = { http = 80 }
    content { guest = port.value }
  }
  dynamic "port" {
    for_each = { http = 80 }
    labels   = [port.key]
    content {
      gest = port.value
    }
  }
  dynamic "volume" {
    for_each = 3
    labels   = [volume.key]
    content { target = "/x" }
  }
}

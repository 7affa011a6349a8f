environment "shop" {}
credential "db" {
  username = "app"
  generate {}
}
container "web" {
  image = "nginx"
  user  = credential.db.password
  file "/etc/x" {
    content = credential.db.password
    mode    = credential.db.password
  }
  dynamic "volume" {
    for_each = toset([credential.db.password])
    labels   = [volume.value]
    content { target = "/x" }
  }
  env = { for k, v in { a = credential.db.password } : v => k }
}

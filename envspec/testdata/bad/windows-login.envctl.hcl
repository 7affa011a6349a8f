environment "shop" {}
windows "pas" {
  address  = "10.0.0.1"
  username = "Administrator"
  password = "hunter2"
}
windows "b" {
  source "host" { address = "https://10.0.0.1:5986" }
  winrm { credential = credential.admin }
}
windows "c" {
  source "host" { address = "10.0.0.1:5986" }
  winrm {
    credential = credential.admin
    username   = "x"
    ssl        = true
  }
}
credential "admin" {
  username = "Administrator"
  password = "hunter2"
}

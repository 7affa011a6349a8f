environment "shop" {}
windows "a" {}
windows "b" {
  source "vm" {}
}
windows "c" {
  source "host" { address = "10.0.0.1" }
}
windows "d" {
  source "host" { address = "10.0.0.1" }
  winrm {
    credential  = "admin"
    https       = false
    auth        = "basic"
    fingerprint = "ab:cd"
    ca_file     = "ca.pem"
  }
}
windows "e" {
  source "host" { address = "10.0.0.1" }
  winrm { username = "x" }
}

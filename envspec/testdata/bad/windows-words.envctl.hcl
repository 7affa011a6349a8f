environment "shop" {}
windows "pas" {
  source "sandbox" {}
  registry "HKLM:\\SOFTWARE\\PAS" {
    values = {
      A = { type = "REG_SZ", value = "x" }
      B = { type = "DWord", value = 1 }
      C = { type = "REG_EXPAND_SZ", value = "x" }
      D = { Type = "sz", Value = "x" }
    }
  }
  service "A" {
    start_type = "Automatic"
    startup    = "Automatic"
    state      = "Started"
  }
  user "bob" {
    groups   = "Administrators"
    password = "x"
  }
  certificate "c" {
    store   = "Cert:\\LocalMachine\\Root"
    content = "x.pem"
  }
  firewall "f" {
    direction = "in"
    port      = [80]
  }
}

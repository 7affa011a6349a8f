environment "shop" {}
windows "pas" {
  source "sandbox" {}
  certificate "ca" {
    store   = "Root"
    content = "lab-ca.pem"
  }
  certificate "https" {
    store    = "my"
    content  = <<-PEM
      -----BEGIN PRIVATE KEY-----
      MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
      -----END PRIVATE KEY-----
    PEM
    password = "x"
  }
  certificate "none" { store = "ca" }
  certificate "spec" {
    store  = "ca"
    source = "unused.envctl.hcl"
  }
  task "PAS\\nightly" {
    command = "C:\\PAS\\export.exe"
    daily   = "2:30am"
  }
  task "often" {
    command = "C:\\PAS\\poll.exe"
    every   = "90s"
  }
  task "both" {
    command = "C:\\PAS\\poll.exe"
    daily   = "02:30"
    on      = "start"
  }
  task "secret" {
    command = "C:\\PAS\\poll.exe"
    args    = [credential.pas.password]
  }
  feature "TelnetClient" { state = "enabled" }
}
credential "pas" {
  username = "x"
  generate {}
}

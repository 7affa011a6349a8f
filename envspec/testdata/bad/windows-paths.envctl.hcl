environment "shop" {}
windows "pas" {
  source "sandbox" {}
  script "a" { source = "seed.ps1" }
  script "b" { run = "tpl/page.tpl" }
  package "c" { source = "\\\\server\\share\\x.msi" }
  package "d" { source = "C:\\installers\\x.msi" }
  file "PAS\\x.ini" { content = "x" }
  file "/etc/x" { content = "x" }
  feature "TelnetClient" { state = "enabled" }
}

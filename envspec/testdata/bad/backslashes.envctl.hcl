environment "shop" {}
windows "pas" {
  source "sandbox" {}
  registry "HKLM\SOFTWARE\PAS" {
    values = { A = "C:\PAS" }
  }
}

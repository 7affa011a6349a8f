environment "shop" {}
windows "pas" {
  source "sandbox" {}
  env "A" { value = "1" }
  env "a" { value = "2" }
  registry "HKLM\\Software\\X" { values = { A = 1 } }
  registry "HKLM\\SOFTWARE\\X" { values = { B = 1 } }
  source "sandbox" {}
}

environment "shop" {}
windows "pas" {
  source "sandbox" {}
  image = "windows"
  env   = { A = "b" }
  volume "x" { target = "/x" }
}
container "web" {
  image = "nginx"
  registry "HKLM\\X" { values = {} }
  source "sandbox" {}
}

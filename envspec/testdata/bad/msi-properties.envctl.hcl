environment "shop" {}
credential "db" {
  username = "x"
  generate {}
}
windows "pas" {
  source "sandbox" {}
  package "pas" {
    source     = "setup.msi"
    properties = { DBPASSWORD = credential.db.password, InstallDir = "C:\\PAS" }
    uninstall  = ["x"]
  }
  package "exe" {
    source     = "setup.exe"
    properties = { A = "b" }
    sha256     = "0000000000000000000000000000000000000000000000000000000000000000"
  }
}

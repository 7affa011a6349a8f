environment "shop" {}
variable "token" {
  type      = string
  sensitive = true
  default   = "t0ken"
}
windows "pas" {
  source "sandbox" {}
  package "login" { source = "https://ana:hunter2@example.com/pas.msi" }
  package "open" { source = "http://example.com/pas.msi?token=hunter2" }
  package "ftp" { source = "ftp://example.com/pas.msi" }
  package "folder" { source = "https://example.com/installers/?file=pas.msi" }
  package "nohost" { source = "https:///pas.msi" }
  package "kind" { source = "https://example.com/download.php?file=pas.msi" }
  package "secret" { source = "https://example.com/pas.msi?token=${var.token}" }
  package "sum" {
    source = "https://example.com/pas.msi"
    sha256 = "abc"
  }
  archive "C:\\forms" { source = "https://example.com/forms.tar.gz" }
  file "C:\\logo.png" { source = "https://example.com/a%5Cb.png" }
}

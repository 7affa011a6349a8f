environment "shop" {}
windows "pas" {
  source "sandbox" { address = "10.0.0.1" }
  package "a" { source = "installers/missing.msi" }
  package "b" { source = "https://example.com/setup.exe" }
  package "c" {
    source = "unused.envctl.hcl"
    sha256 = "abc"
  }
  archive "C:\\app" { source = "unused.envctl.hcl" }
  registry "HKML\\SOFTWARE\\PAS" { values = { A = "b" } }
  registry "HKLM/SOFTWARE/PAS" { values = { A = "b" } }
  registry "HKLM\\SOFTWARE\\PAS" {
    values = {
      A = { type = "string", value = "x" }
      B = { type = "dword", value = "x" }
      C = 1.5
      D = { x = 1 }
      E = { type = "binary", value = "xyz" }
      F = { type = "dword", value = 4294967296 }
    }
  }
  service "Svc" {
    startup = "automatic"
    state   = "started"
  }
  firewall "api" { port = "apii" }
  port "api" { guest = 80 }
  user "bob" {}
  vault "x" { credential = credential.pas.username }
  reboot { when = "now" }
  servce "x" {}
  ready {
    log { pattern = "(" }
  }
}
credential "pas" {
  username = "x"
  generate {}
}

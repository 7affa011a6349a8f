environment "shop" {}
windows "pas" {
  source "sandbox" {}
  file "C:\temp\new.ini" { content = "x" }
  registry "HKLM\\SOFTWARE\new" { values = { Dir = "C:\new\tools" } }
  script "s" {
    run     = "x"
    creates = "C:\\PAS\new"
  }
  script "t" {
    run = <<-PS
      Set-Location C:
      C:\PAS\x.exe
    PS
  }
  env "DIR" { value = "D:\tools" }
  service "S" { command = "C:\temp\new" }
}

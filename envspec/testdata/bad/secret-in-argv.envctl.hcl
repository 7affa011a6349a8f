environment "shop" {}
credential "db" {
  username = "app"
  generate {}
}
container "web" {
  image   = "nginx"
  command = ["--password", credential.db.password]
  labels  = { password = credential.db.password }
  ready { exec = ["check", "-p${credential.db.password}"] }
}
windows "pas" {
  source "sandbox" {}
  app "tool" {
    command = "C:\\tool.exe"
    args    = ["/p", credential.db.password]
  }
  service "Svc" {
    command = "C:\\svc.exe /p ${credential.db.password}"
  }
  script "s" {
    run    = "echo"
    unless = "check ${credential.db.password}"
  }
}

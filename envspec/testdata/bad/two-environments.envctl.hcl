environment "a" {}
environment "b" {}
container "web" { image = "nginx" }

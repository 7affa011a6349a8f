container "web" { image = "nginx" }

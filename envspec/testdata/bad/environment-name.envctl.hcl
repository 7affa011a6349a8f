environment "my shop" {}
container "web" { image = "nginx" }

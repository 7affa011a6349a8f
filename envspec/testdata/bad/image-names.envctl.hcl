environment "shop" {}
container "a" { image = "Nginx" }
container "b" { image = "my image:1" }
container "c" { image = "https://registry.example.com/app" }
container "d" { image = "nginx:" }

environment "shop" {}
container "web" {
  image = "nginx"
  port "http" { guest = 80 }
}
output "a" { value = container.web }
output "b" { value = container.web.port.http.url }
output "c" { vlaue = 1 }
output "d" {
  value     = 1
  sensitive = "maybe"
}
output "e" { value = output.d }

variable "name" { type = string }
container "web" {
  image = "nginx"
  port "http" {
    guest  = 80
    scheme = "http"
  }
  env = { NAME = var.name }
}
output "url" { value = container.web.port.http.url }

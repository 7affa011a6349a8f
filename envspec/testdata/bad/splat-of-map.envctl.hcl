environment "shop" {}
variable "n" {
  type    = number
  default = 3
}
container "web" {
  for_each = var.n
  image    = "nginx"
  port "http" { guest = 80 }
}
container "w" {
  for_each = { for i in range(3) : i => i }
  image    = "nginx"
  port "http" { guest = 80 }
}
container "x" {
  image = "nginx"
  env = {
    A = container.w[0].port.http.address
    B = container.w.*.port.http.address
    C = container.w[*].port.http.address
    D = data.aws_ami.x.id
    E = resource.container.w
  }
}

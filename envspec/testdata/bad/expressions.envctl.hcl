environment "shop" {}
variable "n" {
  type    = object({ name = string })
  default = { name = "x" }
}
container "web" {
  image = "nginx"
  env = {
    A = var.n.nme
    B = "x" + 1
    C = [1, 2][5]
    D = jsondecode("{")
    E = true ? 1 : {}
    F = var.n
    G = join(",")
    H = [1, 2]
    I = hello
    J = env("NOT_SET_ANYWHERE")
  }
}

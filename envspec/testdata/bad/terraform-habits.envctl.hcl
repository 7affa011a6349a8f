environment "shop" {}
resource "container" "web" {
  image = "nginx"
}
provider "docker" {}
data "x" "y" {}
module "m" { source = "./m" }
terraform {}
container "web" {
  image      = "nginx:${terraform.workspace}"
  count      = 2
  lifecycle {
    ignore_changes = all
  }
  env = { A = self.name, B = path.module, C = module.m.x, D = count.index }
}

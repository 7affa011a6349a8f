environment "shop" {}
variable "wanted" { default = "~> 1.0" }
template "good" {
  source  = "./tpl/versioned"
  version = "~> 1.2"
}
template "newer" {
  source  = "./tpl/versioned"
  version = ">= 2.0"
}
template "nonsense" {
  source  = "./tpl/versioned"
  version = "latest"
}
template "computed" {
  source  = "./tpl/versioned"
  version = var.wanted
}
template "odd" {
  source  = "./tpl/odd"
  version = "~> 1.0"
}
template "stateless" {
  source  = "./tpl"
  version = "~> 1.0"
}

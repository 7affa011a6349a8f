environment "shop" {}
template "a" { source = "./nowhere" }
template "b" { source = "registry.example.com/pas" }
template "c" { source = "../bad" }
template "d" {
  source = "./tpl"
  inputs {
    nmae = "x"
  }
}
output "x" { value = template.d.urll }
output "y" { value = template.d }
output "z" { value = template.e.url }

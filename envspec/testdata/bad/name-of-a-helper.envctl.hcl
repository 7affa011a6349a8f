environment "e" {}

container "default-forward" {
  image = "debian"
}

container "pas" {
  image = "debian"
}

container "lab-sandbox" {
  image = "debian"
}

windows "lab" {
  source "sandbox" {}
}

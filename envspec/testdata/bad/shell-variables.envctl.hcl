environment "shop" {}
container "web" {
  image = "nginx:${TAG}"
  file "/start.sh" {
    content = <<-EOT
      echo ${HOME}
      echo ${user.name}
    EOT
  }
}

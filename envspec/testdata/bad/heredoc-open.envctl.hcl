environment "shop" {}
container "web" {
  image = "nginx"
  file "/x" {
    content = <<-EOT
      hello
  }
}

environment "shop" {}
container "web" {
  image = "nginx"
  env   = { A = file("missing.txt"), B = templatefile("missing.tpl", {}), C = filesha256("missing.bin") }
  file "etc/x" { content = "x" }
  file "/a" { source = "missing.conf" }
  file "/b" {
    content = "x"
    mode    = "rw-r--r--"
  }
  file "/c" {}
  volume "src" {
    source = "./missing"
    target = "/src"
  }
  volume "rel" { target = "data" }
}
container "built" {
  build { context = "./missing" }
}
container "nodockerfile" {
  build { context = "." }
}
container "outside" {
  build {
    context    = "."
    dockerfile = "../Dockerfile"
  }
}

environment {
  name = "shop"
}
container {
  name  = "web"
  image = "nginx"
}

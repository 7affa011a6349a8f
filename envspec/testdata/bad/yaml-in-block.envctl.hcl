environment "shop" {}
container "web" {
  image: nginx
  command: [sleep]
}

environment "shop" {}
container "web" { image = "nginx", env = {} }
container db {
  image = 'postgres'
}

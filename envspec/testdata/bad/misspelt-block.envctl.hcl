environment "shop" {}
contianer "db" {
  image = "postgres:17"
}

environment "shop" {}
container "db" {
  image       = "postgres:17"
  workingdir  = "/data"
  dependson   = []
}

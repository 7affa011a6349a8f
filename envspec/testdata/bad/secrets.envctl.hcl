environment "shop" {}

credential "db" {
  generate {}
}

container "db" {
  image = "postgres:17"
  user  = "postgres"
  env   = { POSTGRES_PASSWORD_FILE = "/elsewhere" }
  file "/run/secrets/twice" { content = "x" }
  secret "a/b" { value = credential.db.password }
  secret "mine" { value = credential.db.password }
  secret "open" {
    value = credential.db.password
    env   = "POSTGRES_PASSWORD_FILE"
    mode  = "0444"
  }
  secret "twice" {
    value = credential.db.password
    uid   = 999
  }
  secret "wrong" {
    valu = credential.db.password
    mode = "r--"
    uid  = 999
  }
}

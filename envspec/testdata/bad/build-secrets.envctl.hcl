environment "shop" {}
credential "npm" {
  env { password = "NPM_TOKEN" }
}
container "web" {
  build {
    inline     = "FROM scratch"
    args       = { TOKEN = credential.npm.password }
    cache_from = ["Not An Image"]
    secret "../up" { value = credential.npm.password }
    secret "both" {
      value  = "x"
      source = "y"
    }
    secret "gone" { source = "missing.txt" }
    secrets = ["npm"]
  }
}

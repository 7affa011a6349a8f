environment "shop" {}
container "web" {
  image       = "nginx"
  command     = "npm start"
  entrypoint  = "sh -c 'sleep 1'"
  env         = ["A=b", "C=d", "E=f"]
  extra_hosts = ["db:10.0.0.1"]
  dns         = "1.1.1.1"
  port "http" { guest = "8080:80" }
  port "https" { guest = "127.0.0.1:8443:443" }
}

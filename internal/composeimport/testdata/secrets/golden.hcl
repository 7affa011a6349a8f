# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
environment "secrets" {}

# compose: secret unused: no service uses it

variable "API_KEY" {
  type      = string
  default   = env("API_KEY", "")
  sensitive = true
}

container "app" {
  image = "example/app"
  file "/inline" {
    content = <<EOT
listen 80
name $${host}
EOT
  }
  file "/etc/app/app.conf" {
    source = "./app.conf"
    mode   = "0440"
    uid    = 1000
    gid    = 1000
  }
  # compose: config nothing at /nothing: ./not-there.conf is not there
  secret "db" {
    value = file("./keys/db")
    mode  = "0444"
  }
  secret "api-key" {
    value = var.API_KEY
    mode  = "0444"
  }
  # compose: secret outside at /run/secrets/outside: it is external; give its content in a file block, from a
  #   credential or a variable
}

container "idle" {
  image = "busybox"
}


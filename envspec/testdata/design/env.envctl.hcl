environment "gp-booking" {
  requires    = ">= 0.1"
  description = "Booking service against the practice system"
}

variable "pas_host" {
  type        = string
  description = "Address of the Windows machine"
}

locals {
  app_port = 8080
  pas_url  = windows.pas.port.api.url
}

credential "db" {
  username = "booking"
  generate { length = 24 }
}

credential "pas_admin" {
  env {
    username = "PAS_USER"
    password = "PAS_PASSWORD"
  }
}

container "db" {
  image = "postgres:17"
  env = {
    POSTGRES_USER     = credential.db.username
    POSTGRES_PASSWORD = credential.db.password
  }
  port "sql" {
    guest  = 5432
    scheme = "postgres"
  }
  volume "data" { target = "/var/lib/postgresql/data" }
  ready {
    exec = ["pg_isready", "-U", "booking"]
  }
}

windows "pas" {
  source "host" { address = var.pas_host }
  winrm { credential = credential.pas_admin }

  package "pas" {
    source = "installers/pas-7.2.msi"
  }
  registry "HKLM\\SOFTWARE\\PAS" {
    values = {
      DbHost   = container.db.port.sql.host
      DbPort   = container.db.port.sql.port
      Big      = 4294967296
      Names    = ["a", "b"]
      Path     = { type = "expand_sz", value = "%ProgramFiles%\\PAS" }
      Password = credential.db.password
    }
  }
  service "PasSvc" {
    startup = "auto"
    state   = "running"
  }
  script "seed" {
    run     = file("seed.ps1")
    creates = "C:\\PAS\\seeded"
  }
  vault "pas/db" { credential = credential.db }
  firewall "api" { port = "api" }
  reboot {}

  port "api" {
    guest  = 8080
    scheme = "http"
  }
  ready {
    http {
      port = "api"
      path = "/health"
    }
  }
}

container "booking" {
  build { context = "." }
  env = {
    PAS_URL    = local.pas_url
    PUBLIC_URL = container.booking.port.web.from_host.url
    RETRIES    = 3
    DEBUG      = false
    NOTHING    = null
  }
  port "web" {
    guest  = local.app_port
    scheme = "http"
  }
}

output "booking" {
  value = container.booking.port.web.url
}

output "database" {
  value = "postgres://${credential.db.username}:${credential.db.password}@${container.db.port.sql.address}/booking"
}

environment "quickstart" {
  description = "A booking page, a practice system on Windows, and its database"
}

variable "clinic" {
  type        = string
  default     = "Riverbank Practice"
  description = "The name on the booking page; Windows knows it from the registry"
}

locals {
  database = "practice"
}

# Made once and kept; it reaches the two files below, and no command line, label or log.
credential "db" {
  username = "pas"
  generate { length = 24 }
}

container "db" {
  build {
    context = "db"
    inline  = <<-DOCKERFILE
      FROM debian:trixie-slim
      RUN apt-get update \
       && apt-get install -y --no-install-recommends postgresql-17 \
       && rm -rf /var/lib/apt/lists/*
      ENV PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin
      COPY start.sh /usr/local/bin/start-db
      ENTRYPOINT ["/bin/sh", "/usr/local/bin/start-db"]
    DOCKERFILE
  }
  env = {
    DB_NAME = local.database
    DB_USER = credential.db.username
  }
  file "/run/secrets/db" {
    content = credential.db.password
  }
  volume "data" {
    target = "/var/lib/postgresql/data"
  }
  port "sql" {
    guest  = 5432
    scheme = "postgres"
  }
  ready {
    exec = ["pg_isready", "-q", "-h", "127.0.0.1", "-d", "practice"]
  }
  stop_signal = "SIGINT" # PostgreSQL's fast shutdown
}

windows "pas" {
  # A machine of your own:
  #   source "host" { address = "192.168.64.5" }
  #   winrm { credential = credential.pas_admin }
  source "sandbox" {}

  package "pas" {
    source = "installers/pas.msi"
  }

  # Inside Windows the database is at 127.0.0.1: this reference is what makes the wire.
  registry "HKLM\\SOFTWARE\\PAS" {
    values = {
      DbHost = container.db.port.sql.host
      DbPort = container.db.port.sql.port
      DbName = local.database
      DbUser = credential.db.username
      Clinic = var.clinic
    }
  }

  # Sensitive content: readable by Administrators and SYSTEM alone.
  file "C:\\ProgramData\\PAS\\db.secret" {
    content = credential.db.password
  }

  service "PasSvc" {
    startup = "auto"
    state   = "running"
  }

  firewall "pas-api" { port = "api" }
  firewall "pas-hl7" { port = "hl7" }

  port "api" {
    guest  = 8080
    scheme = "http"
  }
  port "hl7" {
    guest  = 2575
    scheme = "mllp"
  }
  ready {
    http {
      port = "api"
      path = "/health"
    }
  }
}

container "booking" {
  build {
    context = "booking"
    inline  = <<-DOCKERFILE
      FROM debian:trixie-slim
      RUN apt-get update \
       && apt-get install -y --no-install-recommends nginx-light \
       && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/*
      COPY index.html /srv/booking/index.html
      COPY booking.conf start.sh /srv/
      CMD ["/bin/sh", "/srv/start.sh"]
    DOCKERFILE
  }
  env = {
    PAS_URL = windows.pas.port.api.url # http://pas:8080 in here
  }
  port "web" {
    guest  = 8080
    scheme = "http"
  }
  ready {
    http {
      port = "web"
      path = "/"
    }
  }
}

output "booking" {
  description = "Open this in a browser"
  value       = container.booking.port.web.url
}

output "hl7" {
  description = "Send HL7 v2 ADT messages here (MLLP)"
  value       = windows.pas.port.hl7.address
}

output "database" {
  description = "For psql"
  value       = "postgres://${credential.db.username}:${credential.db.password}@${container.db.port.sql.address}/${local.database}"
  sensitive   = true
}

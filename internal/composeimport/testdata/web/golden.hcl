# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
environment "shop" {}

container "web" {
  # compose: image: example/web (what is built here is known by the hash of what goes into it)
  build {
    context = "./app"
  }
  env = {
    # compose: a password in the clear: a credential block (or a variable with sensitive = true) keeps it out of
    #   the spec
    DATABASE_URL = "postgres://shop:shop@${container.db.port.sql.address}/shop"
    PUBLIC_URL   = "http://web:80/"
    REDIS_HOST   = container.cache.port.redis.host
    REDIS_PORT   = container.cache.port.redis.port
    WORKERS      = "4"
  }
  restart    = "unless-stopped"
  depends_on = [container.cache, container.db]
  port "http" {
    guest  = 80
    host   = 8080
    scheme = "http"
  }
  port "https" {
    guest  = 443
    host   = 8443
    scheme = "https"
  }
  volume "html" {
    source    = "./html"
    target    = "/srv/html"
    read_only = true
  }
  watch {
    paths  = ["./app"]
    ignore = ["app/tmp", "!app/tmp/keep"]
    sync   = "/srv/app"
  }
  # compose: develop.watch.include: *.conf (all of the path is synced)
  watch {
    paths   = ["./app"]
    sync    = "/srv/conf"
    restart = ["app/*.conf"]
  }
  watch {
    paths   = ["./app/Dockerfile"]
    rebuild = ["app/Dockerfile"]
  }
  # compose: develop.watch: ./html to /srv/html (a folder of the host is mounted there)
  # compose: develop.watch: ./nowhere is not there, or not near the spec
}

container "db" {
  image = "postgres:17"
  env = {
    POSTGRES_DB = "db"
    # compose: a password in the clear: a credential block (or a variable with sensitive = true) keeps it out of
    #   the spec
    POSTGRES_PASSWORD = "shop"
    POSTGRES_USER     = "shop"
  }
  # known from DATABASE_URL of web
  port "sql" {
    guest  = 5432
    scheme = "postgres"
  }
  volume "data" {
    target = "/var/lib/postgresql/data"
  }
  ready {
    exec    = ["pg_isready", "-U", "shop"]
    timeout = "5s"
    # Compose: interval 10s, start_period 30s, retries 5. Here tries begin at milliseconds; this is how long it may
    #   take in all.
    start_period = "1m45s"
  }
}

container "cache" {
  image   = "redis:7"
  command = ["redis-server", "--save", ""]
  # known from REDIS_HOST of web
  port "redis" {
    guest  = 6379
    scheme = "redis"
  }
}


# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
environment "limits" {}

# compose: x-logging: extensions, which mean nothing by themselves; where they were merged in, they are in what
#   follows

container "big" {
  image = "example/big"
  # compose: entrypoint: [] (Compose took the image's own away)
  working_dir = "/srv"
  platform    = "linux/amd64"
  stop_signal = "SIGINT"
  stop_grace  = "1m30s"
  init        = true
  extra_hosts = {
    "host.docker.internal" = "host-gateway"
  }
  memory       = "512MB"
  cpus         = 1.5
  privileged   = true
  read_only    = true
  shm_size     = "64MB"
  hostname     = "big.example"
  cap_add      = ["NET_ADMIN"]
  cap_drop     = ["ALL"]
  security_opt = ["no-new-privileges:true"]
  dns          = ["1.1.1.1"]
  devices      = ["/dev/fuse"]
  sysctls = {
    "net.core.somaxconn" = "1024"
  }
  ulimits = {
    nofile = "1024:2048"
  }
  logging {
    driver = "json-file"
    options = {
      max-size = "10m"
    }
  }
}

container "many" {
  image   = "example/many"
  restart = "on-failure"
  memory  = "1GB"
  cpus    = 0.5
  # compose: 3 replicas (for_each = toset(["1", "2", …]) makes several, each with a name of its own)
  # compose: deploy: {resources: {reservations: {memory: "268435456"}}, restart_policy: {max_attempts: 3},
  #   placement: {constraints: [node.role == worker]}}
}

container "debug" {
  image   = "example/debug"
  restart = "on-failure"
  # compose: restart: on-failure:5 (tries are not limited to 5)
  profiles = ["debug"]
  # compose: network_mode: host (containers are on the environment's one network)
  # compose: pid: host
  # compose: stdin_open: true (use envctl exec)
  # compose: tty: true (use envctl exec)
}


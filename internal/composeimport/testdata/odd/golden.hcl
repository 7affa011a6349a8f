# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
environment "odd" {}

variable "CHECK" {
  type    = string
  default = env("CHECK", "")
}

# compose: service 1st.service is reached as x1st-service here
container "x1st-service" {
  # compose: port 81:99: the port is published once, at 99
  image = "example/first"
  # compose: post_start: [{command: [./after.sh]}]
  # compose: annotations: {a: b}
  port "p9000" {
    guest = 9000
    host  = 9000
  }
  port "p9001" {
    guest = 9001
    host  = 9001
  }
  port "dns" {
    guest    = 53
    host     = 53
    protocol = "udp"
  }
  # compose: port 53:53: 1st.service has this number of the host already, as tcp or udp
  port "dns-53" {
    guest = 53
  }
  port "p9100" {
    guest = 9100
  }
  # compose: port 9500-9600:95: one number is pinned, or one is chosen and kept
  port "p95" {
    guest = 95
  }
  # compose: port 10.0.0.1:99:99: published on 127.0.0.1
  port "p99" {
    guest = 99
    host  = 99
  }
  # compose: port 9000:9200: 1st.service has this number of the host already, as tcp or udp
  port "http" {
    guest  = 9200
    scheme = "http"
  }
  ready {
    exec = ["/bin/sh", "-c", "curl -f http://localhost:9000/${var.CHECK} || exit 1"]
  }
}

container "a-b" {
  image = "example/ab"
  gpus  = "all"
  # compose: healthcheck: disabled; without a ready block the container is ready when it runs
}

# compose: service a_b is reached as a-b-2 here
container "a_b-2" {
  # compose: depends_on nobody: there is no such service
  image = "example/ab"
  ready {
    exec = ["/bin/sh", "-c", "test -f /ok"]
  }
}

container "ext" {
  image = "example/base:2"
  pull  = "always"
  env = {
    A      = "1"
    SCRIPT = "line one\nline two\n"
  }
  # compose: develop.watch: ./src is not there, or not near the spec
}


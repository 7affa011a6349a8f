# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
environment "build" {}

variable "API_TOKEN" {
  type      = string
  default   = env("API_TOKEN", "")
  sensitive = true
}

variable "COMMIT" {
  type    = string
  default = env("COMMIT", "")
}

variable "PATH" {
  type    = string
  default = env("PATH", "")
}

container "api" {
  build {
    context    = "./api"
    dockerfile = "docker/Dockerfile.dev"
    target     = "dev"
    args = {
      COMMIT     = var.COMMIT
      HTTP_PROXY = env("HTTP_PROXY", "")
      VERSION    = "3"
    }
    cache_from = ["example/api:cache", "example/api:ci"]
    secret "npm" {
      source = "./npmrc"
    }
    secret "api-token" {
      value = var.API_TOKEN
    }
    # compose: build.secrets outside: its content is not in the Compose file; give it in a secret block, from a
    #   credential or a variable
    # compose: build.cache_from: ['type=local,src=cache']
    # compose: build.platforms: [linux/amd64]
  }
}

container "inline" {
  build {
    context = "."
    inline  = <<DOCKERFILE
FROM debian
RUN echo ${var.PATH}
DOCKERFILE
  }
}

# compose: service gone is not carried over: its build context ./not-there is not a folder that is there. It was
#   profiles:
#       - extra
#   build:
#       context: ./not-there

container "remote" {
  image = "example/remote"
  # compose: build: its build context https://github.com/example/remote.git is not a folder
  # compose: build.context: https://github.com/example/remote.git
}

container "caller" {
  # compose: depends_on gone: gone is not carried over, as its build context ./not-there is not a folder that is
  #   there
  image = "busybox"
  env = {
    # compose: gone is not carried over, as its build context ./not-there is not a folder that is there
    GONE = "http://gone:80"
  }
  depends_on = [container.api]
}


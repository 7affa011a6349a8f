# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
# Variables that were resolved when this was made: UID.
environment "envs" {}

variable "API_TOKEN" {
  type = string
  # Its value is in secrets.auto.vars.hcl, from .env.
  sensitive = true
}

variable "DB_PASSWORD" {
  type = string
  # Its value is in secrets.auto.vars.hcl, from ./web.env.
  sensitive = true
}

variable "LEVEL" {
  type    = string
  default = env("LEVEL", "")
}

variable "NAME" {
  type    = string
  default = env("NAME", "")
}

variable "PORT" {
  type    = string
  default = env("PORT", "")
}

variable "SIGNING_KEY" {
  type      = string
  default   = env("SIGNING_KEY")
  sensitive = true
}

variable "TAG" {
  type    = string
  default = env("TAG", "1.2")
}

container "app" {
  # env holds what was in ./web.env when this was imported.
  # compose: env_file ./local.env: it is not there, and need not be
  # compose: env_file ./gone.env: it is not there
  image   = "example/app:${var.TAG}"
  command = ["serve", "--queue", "amqp://${container.mq.port.amqp.address}", "--level", var.LEVEL]
  env = {
    API_TOKEN   = var.API_TOKEN
    DB_PASSWORD = var.DB_PASSWORD
    GREETING    = "hello world, $5 and %%{x}"
    HOME_DIR    = env("HOME_DIR", null)
    LOG         = "info"
    # compose: a password in the clear: a credential block (or a variable with sensitive = true) keeps it out of
    #   the spec
    MQ          = "amqp://guest:guest@${container.mq.port.amqp.address}"
    MQ_HOST     = container.mq.port.amqp.host
    NOWHERE     = "http://mq:${var.PORT}/"
    SIGNING_KEY = var.SIGNING_KEY
  }
  user = "1000"
  labels = {
    owner = var.NAME
  }
}

container "mq" {
  image = "rabbitmq:4"
  # known from MQ_HOST of app
  port "amqp" {
    guest  = 5672
    scheme = "amqp"
  }
}


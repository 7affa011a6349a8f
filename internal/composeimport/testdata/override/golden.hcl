# Made from compose.yaml, compose.override.yaml by envctl import. A comment that begins with "compose:" is on
#   something that is not carried over as it was.
environment "override" {}

# compose: model llm: {model: ai/x}

container "web" {
  image = "example/web"
  env = {
    A    = "2"
    B    = "http://${container.included.port.http.address}"
    JDBC = "jdbc:postgresql://${container.included.port.http.address}/x?user=a"
  }
  # compose: annotations: {x: y}
  # compose: models: {llm: null}
  port "http" {
    guest  = 80
    host   = 80
    scheme = "http"
  }
}

container "included" {
  image = "example/included"
  port "http" {
    guest  = 8080
    scheme = "http"
  }
}


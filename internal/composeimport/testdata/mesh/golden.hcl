# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
environment "mesh" {}

# compose: networks back, front: here all containers share the environment's one network
# compose: network back: {name: shared, external: true}
# compose: network front: {ipam: {config: [{subnet: 10.5.0.0/16}]}}

# compose: service a_one is reached as a-one here
container "a_one" {
  image = "example/a"
  env = {
    BOOTSTRAP_SERVERS = container.b.port.p29092.address
    EMPTY_HOST        = ""
    # compose: b:2 may be the address of container.b; if so, declare its port 2 and refer to that
    MAYBE     = "b:2"
    PEER      = "http://${container.b.port.p7001.address}/x"
    PEERS     = "a_one:7000,${container.b.port.p7001.address}"
    SELF_HOST = "a_one"
    # compose: b is container.b, but its port is not certain; declare it and refer to that
    UNCERTAIN = "custom://b/x"
  }
  port "p7000" {
    guest = 7000
  }
}

container "b" {
  image = "example/b"
  env = {
    # compose: alias is container.c, but its port is not certain; declare it and refer to its .host
    OTHER_HOST = "alias"
    PEER       = "http://${unordered(container.a_one.port.p7000.address)}/"
  }
  depends_on = [container.c]
  # compose: container_name: bee (containers are named after the environment and the instance)
  # compose: links: ['c:see'] (containers reach each other by their own names)
  port "p7001" {
    guest = 7001
  }
  # known from BOOTSTRAP_SERVERS of a_one
  port "p29092" {
    guest = 29092
  }
}

container "c" {
  image = "example/c"
  env = {
    # compose: bee is container.b, but its port is not certain; declare it and refer to its .host
    BEE_ADDR = "bee"
    SEE_HOST = unordered(container.a_one.port.p7000.host)
    SEE_PORT = unordered(container.a_one.port.p7000.port)
  }
  # compose: networks: {front: {aliases: [alias], ipv4_address: 10.5.0.5}} (containers are on the environment's
  #   one network, under their own names)
  port "p1" {
    guest = 1
  }
  port "p2" {
    guest = 2
  }
}

container "d" {
  # compose: depends_on c, required: false: here it must be ready
  # compose: depends_on migrate, restart: true: here a dependent is restarted only where what it received changed
  image      = "example/d"
  depends_on = [container.c, job.migrate]
}

job "migrate" {
  image   = "example/d"
  command = ["migrate", "--wait", container.a_one.port.p7000.address]
}


# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
environment "volumes" {}

# compose: volume other: {name: other-volume, external: true}
# compose: volume shared: {driver_opts: {device: ':/x', o: addr=10.0.0.1, type: nfs}}

container "one" {
  image = "example/one"
  tmpfs = ["/run", "/tmp:size=1048576,mode=700"]
  # compose: volume shared:/data: two mounted it too; here every container has a volume of its own
  volume "shared" {
    target = "/data"
  }
  # compose: volume shared:/again: two mounted it too; here every container has a volume of its own
  volume "shared-2" {
    target = "/again"
  }
  volume "anonymous" {
    target = "/var/anonymous"
  }
  volume "app.conf" {
    source    = "./conf/app.conf"
    target    = "/etc/app.conf"
    read_only = true
    # compose: bind: {selinux: z}
  }
  # compose: volume ./not-there:/srv: ./not-there is not there to mount; Compose would make an empty folder
  # compose: volume shared:/sub: two mounted it too; here every container has a volume of its own
  volume "shared-3" {
    target = "/sub"
    # compose: volume: {nocopy: true, subpath: x}
  }
}

container "two" {
  image = "example/two"
  # compose: volumes_from: [one] (name the volumes here)
  # compose: volume shared:/data: one mounted it too; here every container has a volume of its own
  volume "shared" {
    target = "/data"
  }
}


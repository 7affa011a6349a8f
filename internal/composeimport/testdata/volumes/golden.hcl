# Made from compose.yaml by envctl import. A comment that begins with "compose:" is on something that is not
#   carried over as it was.
environment "volumes" {}

volume "other" {
  external = "other-volume"
}
volume "shared" {}
# compose: volume shared: {driver_opts: {device: ':/x', o: addr=10.0.0.1, type: nfs}}

container "one" {
  image = "example/one"
  tmpfs = ["/run", "/tmp:size=1048576,mode=700"]
  volume "shared" {
    source = volume.shared
    target = "/data"
  }
  volume "shared-2" {
    source = volume.shared
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
  volume "shared-3" {
    source = volume.shared
    target = "/sub"
    # compose: volume: {nocopy: true, subpath: x}
  }
}

container "two" {
  image = "example/two"
  # compose: volumes_from: [one] (name the volumes here)
  volume "shared" {
    source = volume.shared
    target = "/data"
  }
  volume "other" {
    source = volume.other
    target = "/other"
  }
  volume "alone" {
    target = "/alone"
  }
}


environment "shop" {}

volume "uploads" {}
volume "Uploads" {
  external = "not a name"
}
volume "idle" {}
volume "cache" {
  size = 1
}

locals {
  keep = volume.cache
}

container "api" {
  image   = "example/api:1"
  command = ["--data", volume.uploads]
  volume "a" {
    source = volume.uplods
    target = "/a"
  }
  volume "b" {
    source = "uploads"
    target = "/b"
  }
  volume "c" {
    source = volume.Uploads.name
    target = "/c"
  }
  volume "d" {
    source = uploads
    target = "/d"
  }
  volume "e" {
    source = volume.nothing_like_it
    target = "/e"
  }
}

image "postgres:17" "linux/amd64" {
  digest = "sha256
environment "shop" {}
container "web" {
  image = "nginx"
  file "/etc/nginx/nginx.conf" {
    content = <<-CONF
      server { listen ${container.web.port.htp.guest}; }
      upstream ${upstream};
    CONF
  }
  port "http" { guest = 80 }
}

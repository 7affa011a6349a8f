package composeimport

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// wellKnown are ports by what listens on them, and the scheme of their address where there is one usual.
var wellKnown = map[uint32][2]string{
	80: {"http", "http"}, 443: {"https", "https"}, 5432: {"sql", "postgres"}, 3306: {"sql", "mysql"}, 6379: {"redis", "redis"},
	27017: {"mongo", "mongodb"}, 5672: {"amqp", "amqp"}, 9092: {"kafka", ""}, 2181: {"zookeeper", ""}, 11211: {"memcached", ""},
	4222: {"nats", "nats"}, 1433: {"sql", "sqlserver"}, 25: {"smtp", ""}, 1025: {"smtp", ""}, 389: {"ldap", "ldap"}, 22: {"ssh", ""}, 53: {"dns", ""},
	8080: {"http", "http"}, 3000: {"http", "http"}, 8000: {"http", "http"}, 9200: {"http", "http"}, 8443: {"https", "https"},
}

// images are the ports that well-known images listen on.
var images = []struct {
	part string
	port uint32
}{
	{"postgres", 5432}, {"postgis", 5432}, {"timescale", 5432}, {"pgvector", 5432}, {"mysql", 3306}, {"mariadb", 3306}, {"percona", 3306},
	{"redis", 6379}, {"valkey", 6379}, {"keydb", 6379}, {"dragonfly", 6379}, {"mongo", 27017}, {"rabbitmq", 5672}, {"memcached", 11211},
	{"kafka", 9092}, {"zookeeper", 2181}, {"elasticsearch", 9200}, {"opensearch", 9200}, {"nats", 4222}, {"minio", 9000}, {"clickhouse", 9000},
	{"nginx", 80}, {"httpd", 80}, {"caddy", 80}, {"traefik", 80}, {"mssql", 1433}, {"consul", 8500}, {"vault", 8200}, {"etcd", 2379},
}

// schemePorts are the ports that an address means where it names none.
var schemePorts = map[string]uint32{
	"http": 80, "ws": 80, "https": 443, "wss": 443, "postgres": 5432, "postgresql": 5432, "mysql": 3306, "mariadb": 3306, "redis": 6379,
	"mongodb": 27017, "amqp": 5672, "nats": 4222, "ldap": 389, "memcached": 11211,
}

func portName(guest uint32) (name, scheme string) {
	if known, ok := wellKnown[guest]; ok {
		return known[0], known[1]
	}
	return fmt.Sprintf("p%d", guest), ""
}

// usual gives the port that a service's image is known to listen on, or 0.
func (s *service) usual() uint32 {
	image, _, _ := strings.Cut(strings.ToLower(path.Base(s.Image)), ":")
	image, _, _ = strings.Cut(image, "@")
	for _, known := range images {
		if image == known.part || strings.HasSuffix(image, "-"+known.part) || strings.HasPrefix(image, known.part) && !strings.Contains(image, "-") {
			return known.port
		}
	}
	return 0
}

// listens reports whether it is certain that a service listens on a tcp port.
func (s *service) listens(guest uint32) bool {
	for _, p := range s.ports {
		if p.guest == guest && p.protocol != "udp" {
			return true
		}
	}
	return s.usual() == guest
}

// declarePorts makes port blocks of ports and expose.
func (im *importer) declarePorts(s *service) {
	if s.unable != "" {
		return
	}
	for _, cfg := range s.Ports {
		im.declarePort(s, cfg)
	}
	s.Ports = nil
	for _, e := range s.Expose {
		number, protocol, _ := strings.Cut(e, "/")
		first, last, ranged := strings.Cut(number, "-")
		from, err := strconv.ParseUint(first, 10, 16)
		to := from
		if ranged && err == nil {
			to, err = strconv.ParseUint(last, 10, 16)
		}
		if err != nil || to-from > 50 {
			s.notes = append(s.notes, mark+"expose "+e)
			continue
		}
		for n := from; n <= to; n++ {
			if protocol == "udp" {
				p := &port{guest: uint32(n), protocol: "udp"}
				p.name, _ = portName(p.guest)
				s.addPort(p)
			} else {
				s.port(uint32(n), "")
			}
		}
	}
	s.Expose = nil
}

func (im *importer) declarePort(s *service, cfg types.ServicePortConfig) {
	what := fmt.Sprintf("port %s:%d", cfg.Published, cfg.Target)
	if cfg.HostIP != "" {
		what = fmt.Sprintf("port %s:%s:%d", cfg.HostIP, cfg.Published, cfg.Target)
	}
	for _, p := range s.ports {
		if p.guest == cfg.Target && (p.protocol == "udp") == (cfg.Protocol == "udp") {
			if p.host != cfg.Published {
				s.notes = append(s.notes, mark+what+": the port is published once, at "+p.host)
			}
			return
		}
	}
	p := &port{guest: cfg.Target}
	p.name, p.scheme = portName(cfg.Target)
	switch cfg.Protocol {
	case "", "tcp":
	case "udp":
		p.protocol, p.scheme = "udp", ""
	default:
		s.notes = append(s.notes, mark+what+"/"+cfg.Protocol+": a port is tcp or udp")
		return
	}
	if cfg.Name != "" {
		p.name = identifier(cfg.Name)
	}
	if cfg.AppProtocol != "" {
		p.scheme = cfg.AppProtocol
	}
	switch pin, who := cfg.Published, im.pinned[cfg.Published]; {
	case pin == "" || pin == "0":
	case strings.Contains(pin, "-"):
		p.why = mark + what + ": one number is pinned, or one is chosen and kept"
	case who != "":
		p.why = mark + what + ": " + who + " has this number of the host already, as tcp or udp"
	default:
		p.host = pin
		im.pinned[pin] = s.Name
	}
	if ip := cfg.HostIP; ip != "" && ip != "127.0.0.1" && ip != "::1" && ip != "0.0.0.0" && ip != "::" {
		p.why = mark + what + ": published on 127.0.0.1"
	}
	if cfg.Mode == "host" {
		s.notes = append(s.notes, mark+what+", mode: host: there are no swarm modes")
	}
	s.addPort(p)
}

// portBlocks writes a container's ports.
func (s *service) portBlocks(w *writer) {
	for _, p := range s.ports {
		if p.why != "" {
			w.comment(p.why)
		}
		w.block("port "+quote(p.name), func(w *writer) {
			w.attr("guest", strconv.Itoa(int(p.guest)))
			if p.host != "" {
				w.attr("host", p.host)
			}
			if p.protocol == "udp" {
				w.attr("protocol", quote("udp"))
			}
			if p.scheme != "" {
				w.attr("scheme", quote(p.scheme))
			}
		})
	}
}

package docker

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// starts says by the path of its socket which program an engine is part of, and what starts it. The first that fits counts.
var starts = []struct {
	path  *lazyregexp.Regexp // with the name of an instance, where the program has several
	usual string             // the instance that needs no naming
	how   string             // %s is where the instance's name goes, with a space before it
}{
	{lazyregexp.New(`/\.orbstack/`), "", "start OrbStack (`orb start`)"},
	{lazyregexp.New(`/\.?colima/(?:([\w.-]+)/)?docker\.sock$`), "default", "start Colima (`colima start%s`)"},
	{lazyregexp.New(`/\.rd/`), "", "start Rancher Desktop (`rdctl start`)"},
	{lazyregexp.New(`/\.lima/([\w.-]+)/`), "", "start Lima's machine (`limactl start%s`)"},
	{lazyregexp.New(`/\.docker/(?:run|desktop)/|dockerDesktop|/docker-desktop/`), "", "start Docker Desktop"},
	{lazyregexp.New(`^/run/podman/`), "", "start Podman's API (`systemctl start podman.socket`)"},
	{lazyregexp.New(`^/run/user/\d+/podman/`), "", "start Podman's API (`systemctl --user start podman.socket`)"},
	{lazyregexp.New(`podman`), "", "start Podman's machine (`podman machine start`)"},
	{lazyregexp.New(`^/run/user/\d+/docker\.sock$`), "", "start Docker (`systemctl --user start docker`)"},
}

// howToStart says what may bring the engine at host to answer, on a computer with the system goos.
func howToStart(host, goos string) string {
	u, err := url.Parse(host)
	if err != nil {
		return "see that the address is right"
	}
	switch u.Scheme {
	case "ssh":
		where := u.Hostname()
		if u.User.Username() != "" {
			where = u.User.Username() + "@" + where
		}
		if u.Port() != "" {
			where = "-p " + u.Port() + " " + where
		}
		return fmt.Sprintf("see that `ssh %s docker version` works, and start Docker there", where)
	case "tcp", "http", "https":
		return "see that a Docker engine listens there and that this computer reaches it (a VPN, a tunnel, a firewall)"
	}
	for _, s := range starts {
		m := s.path.FindStringSubmatch(u.Path)
		if m == nil {
			continue
		}
		if !strings.Contains(s.how, "%s") {
			return s.how
		}
		name := ""
		if len(m) > 1 && m[1] != "" && m[1] != s.usual {
			name = " " + m[1]
		}
		return fmt.Sprintf(s.how, name)
	}
	if goos == "linux" {
		return "start Docker (`systemctl start docker`)"
	}
	return "start Docker (Docker Desktop, OrbStack, Colima)"
}

package docker

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// starts says by the path of its socket which program an engine is part of, and what starts it. The first that fits counts.
var starts = []struct {
	path  *regexp.Regexp // with the name of an instance, where the program has several
	usual string         // the instance that needs no naming
	how   string         // %s is where the instance's name goes, with a space before it
}{
	{regexp.MustCompile(`/\.orbstack/`), "", "start OrbStack (`orb start`)"},
	{regexp.MustCompile(`/\.?colima/(?:([\w.-]+)/)?docker\.sock$`), "default", "start Colima (`colima start%s`)"},
	{regexp.MustCompile(`/\.rd/`), "", "start Rancher Desktop (`rdctl start`)"},
	{regexp.MustCompile(`/\.lima/([\w.-]+)/`), "", "start Lima's machine (`limactl start%s`)"},
	{regexp.MustCompile(`/\.docker/(?:run|desktop)/|dockerDesktop|/docker-desktop/`), "", "start Docker Desktop"},
	{regexp.MustCompile(`^/run/podman/`), "", "start Podman's API (`systemctl start podman.socket`)"},
	{regexp.MustCompile(`^/run/user/\d+/podman/`), "", "start Podman's API (`systemctl --user start podman.socket`)"},
	{regexp.MustCompile(`podman`), "", "start Podman's machine (`podman machine start`)"},
	{regexp.MustCompile(`^/run/user/\d+/docker\.sock$`), "", "start Docker (`systemctl --user start docker`)"},
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

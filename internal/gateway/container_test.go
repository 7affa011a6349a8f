package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/gateway"
	"github.com/envctl/envctl/internal/secret"
)

const planted = "pl4nted-Passw0rd"

func spec() *envspec.Machine {
	return &envspec.Machine{
		Addr: addr.Addr{Kind: addr.Windows, Name: "pas"}, Address: "10.0.0.7",
		WinRM: envspec.WinRM{User: "admin", Password: secret.Text{Value: planted, Sensitive: true}, HTTPS: true},
		Ports: []envspec.Port{{Name: "api", Guest: 8080, Host: 21000, Protocol: "tcp"}},
	}
}

func params(w gateway.Wires) gateway.Params {
	return gateway.Params{Node: blob.Of([]byte("node")), Guest: blob.Of([]byte("guest")), Wires: w}
}

func file(t *testing.T, c *envspec.Container, path string) envspec.File {
	t.Helper()
	for _, f := range c.Files {
		if f.Path == path {
			return f
		}
	}
	t.Fatalf("no %s", path)
	return envspec.File{}
}

func TestContainer(t *testing.T) {
	m := spec()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.WinRM.CAFile = ca
	c, err := gateway.Container(m, params(gateway.Wires{Forwards: []gateway.Forward{{Port: "api", Listen: 8080, Guest: 8080}}}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr.String() != "gateway.pas" || c.Addr.DNS() != "pas" || len(c.Ports) != 1 || c.Ports[0].Host != 21000 {
		t.Errorf("%s, ports %+v", c.Addr, c.Ports)
	}
	config, wires := file(t, c, "/etc/envctl/gateway.json"), file(t, c, "/etc/envctl/wires.json")
	if !config.Content.Sensitive || config.Mode != 0o400 || config.Mutable || !wires.Mutable {
		t.Errorf("config %+v, wires %+v", config, wires)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(config.Content.Reveal()), &got); err != nil {
		t.Fatal(err)
	}
	if got["port"] != 5986.0 || got["ca"] != "PEM" || got["address"] != "10.0.0.7" {
		t.Errorf("config without a port in the spec: %v", got)
	}
	for name, file := range c.Build.Files {
		data, err := file.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(planted)) {
			t.Errorf("the password is in the image's %s", name)
		}
	}
	if all := fmt.Sprintf("%+v %+v %+v %+v", c.Env, c.Labels, c.Command, c.Files); strings.Contains(all, planted) {
		t.Errorf("the password is in %s", all)
	}
}

// A wire that comes or goes must not replace the container, which would cut the others.
func TestWiresAreOnlyInTheMutableFile(t *testing.T) {
	a, err := gateway.Container(spec(), params(gateway.Wires{}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := gateway.Container(spec(), params(gateway.Wires{Reverse: []gateway.Reverse{{GuestListen: 5432, Dial: "db:5432",
		To: addr.Endpoint{Addr: addr.Addr{Kind: addr.Container, Name: "db"}, Port: "sql"}}}}))
	if err != nil {
		t.Fatal(err)
	}
	if a.Files[1].Content == b.Files[1].Content {
		t.Error("the wires are not in the file")
	}
	a.Files[1].Content = b.Files[1].Content
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if !bytes.Equal(x, y) {
		t.Errorf("more than the file differs:\n%s\n%s", x, y)
	}
}

func TestContainerRefuses(t *testing.T) {
	udp := spec()
	udp.Ports[0].Protocol = "udp"
	noCA := spec()
	noCA.WinRM.CAFile = "/nowhere/ca.pem"
	for name, f := range map[string]struct {
		m    *envspec.Machine
		in   gateway.Params
		want string
	}{
		"udp":        {udp, params(gateway.Wires{}), "carried over TCP only"},
		"no helpers": {spec(), gateway.Params{}, "make build"},
		"no CA":      {noCA, params(gateway.Wires{}), "ca_file of windows.pas"},
		"bad wires":  {spec(), params(gateway.Wires{Forwards: []gateway.Forward{{Port: "api"}}}), "no pair of ports"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := gateway.Container(f.m, f.in); err == nil || !strings.Contains(err.Error(), f.want) {
				t.Errorf("got %v, want %q", err, f.want)
			}
		})
	}
}

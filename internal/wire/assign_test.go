package wire_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/wire"
)

func endpoint(t testing.TB, s string) addr.Endpoint {
	t.Helper()
	var e addr.Endpoint
	if err := e.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return e
}

func decl(t testing.TB, s string, guest, host int) envspec.EndpointDecl {
	t.Helper()
	e := endpoint(t, s)
	return envspec.EndpointDecl{Endpoint: e, Port: envspec.Port{Name: e.Port, Guest: guest, Host: host, Protocol: "tcp"}}
}

var (
	pas = addr.Addr{Kind: addr.Windows, Name: "pas"}
	lab = addr.Addr{Kind: addr.Windows, Name: "lab"}
)

func practice(t testing.TB) wire.Input {
	return wire.Input{
		Environment: "gp", Instance: "a1",
		Endpoints: []envspec.EndpointDecl{
			decl(t, "windows.pas.port.api", 8080, 0),
			decl(t, "windows.pas.port.hl7", 2575, 0),
			decl(t, "windows.lab.port.api", 8080, 0),
			decl(t, "container.db.port.sql", 5432, 15432),
			decl(t, `container.node["a"].port.http`, 80, 0),
			decl(t, `container.node["b"].port.http`, 80, 0),
			decl(t, "container.web.port.http", 8080, 0),
		},
		Machines:  []addr.Addr{pas, lab},
		ExtraHost: []addr.Endpoint{endpoint(t, "sandbox.pas.port.https")},
	}
}

func assign(t testing.TB, in wire.Input) *wire.Assignment {
	t.Helper()
	a, err := wire.Assign(in)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAddressDependsOnWhoAsks(t *testing.T) {
	a := assign(t, practice(t))
	for _, c := range []struct{ from, to, want string }{
		{"windows.pas", "windows.pas.port.api", "127.0.0.1:8080"},
		{"windows.pas", "container.db.port.sql", "127.0.0.1:5432"},
		{"windows.pas", `container.node["a"].port.http`, "127.0.0.1:80"},
		{"windows.pas", `container.node["b"].port.http`, "127.0.0.1:81"},
		{"windows.pas", "container.web.port.http", "127.0.0.1:8081"}, // 8080 is the machine's own
		{"windows.pas", "windows.lab.port.api", "127.0.0.1:8082"},
		{"windows.lab", "windows.lab.port.api", "127.0.0.1:8080"},
		{"windows.lab", "windows.pas.port.hl7", "127.0.0.1:2575"},
		{"container.web", "windows.pas.port.api", "pas:8080"},
		{"container.web", "container.db.port.sql", "db:5432"},
		{"container.web", `container.node["a"].port.http`, "node-a:80"},
		{"gateway.pas", "container.db.port.sql", "db:5432"},
		{"host", "container.db.port.sql", "127.0.0.1:15432"},
	} {
		from, err := addr.Parse(c.from)
		if err != nil {
			t.Fatal(err)
		}
		host, port := a.Address(from, endpoint(t, c.to))
		if got := fmt.Sprintf("%s:%d", host, port); got != c.want {
			t.Errorf("%s from %s: %s, want %s", c.to, c.from, got, c.want)
		}
	}
	seen := map[int]bool{}
	for _, s := range []string{"windows.pas.port.api", "windows.lab.port.api", "container.web.port.http", "sandbox.pas.port.https"} {
		e := endpoint(t, s)
		host, port := a.Address(addr.Host, e)
		if host != "127.0.0.1" || port < wire.First || port > wire.Last || seen[port] || port != a.HostPort(e) {
			t.Errorf("%s from the host: %s:%d", s, host, port)
		}
		seen[port] = true
	}
}

func TestHostPortsStick(t *testing.T) {
	in, api := practice(t), endpoint(t, "windows.pas.port.api")
	first := assign(t, in).HostPort(api)

	in.Endpoints = append(in.Endpoints, decl(t, "container.aaa.port.x", 1, 0))
	if got := assign(t, in).HostPort(api); got != first {
		t.Errorf("with a new container: %d, was %d", got, first)
	}
	in.Taken = func(port int) (string, bool) { return "nginx", port == first }
	if got := assign(t, in).HostPort(api); got != first+1 {
		t.Errorf("with %d taken: %d", first, got)
	}
	in.RecordedHost = map[addr.Endpoint]int{api: first}
	if got := assign(t, in).HostPort(api); got != first {
		t.Errorf("held by this instance itself: %d, was %d", got, first)
	}
	in = practice(t)
	in.Instance = "b2"
	if got := assign(t, in).HostPort(api); got == first {
		t.Errorf("another instance has %d too", got)
	}
}

func TestPortOfWhatIsBeingReplacedIsNotHandedOn(t *testing.T) {
	in, api := practice(t), endpoint(t, "windows.pas.port.api")
	first := assign(t, in).HostPort(api)
	in.RecordedHost = map[addr.Endpoint]int{endpoint(t, "container.old.port.x"): first}
	if got := assign(t, in).HostPort(api); got == first {
		t.Errorf("%d is held until container.old is gone", got)
	}
	// A pin may: the person said so, and who holds it is not someone else.
	in.Endpoints = append(in.Endpoints, decl(t, "container.new.port.x", 1, first))
	in.Taken = func(port int) (string, bool) { return "docker-proxy", port == first }
	if got := assign(t, in).HostPort(endpoint(t, "container.new.port.x")); got != first {
		t.Errorf("pinned: %d", got)
	}
}

func TestWhatIsPinnedAndTakenIsAProblem(t *testing.T) {
	in := practice(t)
	in.Endpoints = append(in.Endpoints,
		decl(t, "container.x.port.a", 1, 9000), decl(t, "container.y.port.a", 1, 9000),
		decl(t, "container.z.port.a", 1, 9001))
	in.Taken = func(port int) (string, bool) { return "nginx (pid 12)", port == 9001 }
	in.PinnedGuest = map[addr.Addr]map[addr.Endpoint]int{pas: {endpoint(t, "container.db.port.sql"): 5985}}
	_, err := wire.Assign(in)
	var problems wire.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	want := `container.db.port.sql: port 5985 inside windows.pas is taken by Windows itself; pin another
container.y.port.a: host port 9000 is pinned by container.x.port.a too; give one of them another
container.z.port.a: host port 9001 is taken by nginx (pid 12); stop that, pin another, or leave host out to have one assigned`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestUDPAndTCPMayShareAPin(t *testing.T) {
	udp := decl(t, "container.dns.port.udp", 53, 5353)
	udp.Port.Protocol = "udp"
	a := assign(t, wire.Input{Endpoints: []envspec.EndpointDecl{udp, decl(t, "container.dns.port.tcp", 53, 5353)}})
	if a.HostPort(udp.Endpoint) != 5353 || a.HostPort(endpoint(t, "container.dns.port.tcp")) != 5353 {
		t.Error("not both at 5353")
	}
}

func TestAllHostPortsTaken(t *testing.T) {
	in := practice(t)
	in.Taken = func(port int) (string, bool) { return "", port >= wire.First && port <= wire.Last }
	if _, err := wire.Assign(in); err == nil || !strings.Contains(err.Error(), "every host port") {
		t.Fatalf("got %v", err)
	}
}

func TestInsideWindows(t *testing.T) {
	db := endpoint(t, "container.db.port.sql")
	base := func() wire.Input {
		return wire.Input{Machines: []addr.Addr{pas}, Endpoints: []envspec.EndpointDecl{decl(t, "container.db.port.sql", 5432, 0)}}
	}
	for _, c := range []struct {
		name   string
		change func(*wire.Input)
		want   int
	}{
		{"its own number", func(*wire.Input) {}, 5432},
		{"a newcomer that comes first by address", func(in *wire.Input) {
			in.Endpoints = append(in.Endpoints, decl(t, "container.aa.port.sql", 5432, 0))
			in.RecordedGuest = map[addr.Addr]map[addr.Endpoint]int{pas: {db: 5432}}
		}, 5432},
		{"recorded elsewhere stays there", func(in *wire.Input) {
			in.RecordedGuest = map[addr.Addr]map[addr.Endpoint]int{pas: {db: 6000}}
		}, 6000},
		{"the machine's own comes before what is recorded", func(in *wire.Input) {
			in.Endpoints = append(in.Endpoints, decl(t, "windows.pas.port.sql", 5432, 0))
			in.RecordedGuest = map[addr.Addr]map[addr.Endpoint]int{pas: {db: 5432}}
		}, 5433},
		{"a pin comes before what is recorded", func(in *wire.Input) {
			other := endpoint(t, "container.zz.port.sql")
			in.Endpoints = append(in.Endpoints, decl(t, "container.zz.port.sql", 1, 0))
			in.PinnedGuest = map[addr.Addr]map[addr.Endpoint]int{pas: {other: 5432}}
			in.RecordedGuest = map[addr.Addr]map[addr.Endpoint]int{pas: {db: 5432}}
		}, 5433},
		{"never WinRM's", func(in *wire.Input) { in.Endpoints[0].Port.Guest = 5985 }, 5987},
		{"past the top", func(in *wire.Input) {
			in.Endpoints[0].Port.Guest = 65535
			in.Endpoints = append(in.Endpoints, decl(t, "windows.pas.port.sql", 65535, 0))
		}, 1024},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := base()
			c.change(&in)
			if got := assign(t, in).GuestPort(pas, db); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestHostTakenNamesTheHolder(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		holder, taken := wire.HostTaken(t.Context())(port)
		if !taken || !strings.Contains(holder, fmt.Sprintf("pid %d", os.Getpid())) {
			t.Errorf("%s: taken %v by %q", address, taken, holder)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if holder, taken := wire.HostTaken(t.Context())(port); taken {
			t.Errorf("%s is free again, and said to be taken by %q", address, holder)
		}
	}
}

func BenchmarkAssign(b *testing.B) {
	in := wire.Input{Machines: []addr.Addr{pas}}
	for i := range 10_000 {
		in.Endpoints = append(in.Endpoints, decl(b, fmt.Sprintf("container.c%d.port.x", i), 80, 0))
	}
	// The range holds ten thousand ports: as many as will go, less those that a machine needs.
	in.Endpoints = in.Endpoints[:9000]
	for b.Loop() {
		assign(b, in)
	}
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows/registry"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

func hidden(s string) secret.Text { return secret.Text{Value: s, Sensitive: true} }

// asService lets the test binary be what the helper is for a service.
func asService() (code int, handled bool) {
	if code, handled := asSetup(); handled {
		return code, true
	}
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == RunService:
		code, err = ServiceThroughHelper()
	case len(os.Args) > 2 && os.Args[1] == RunApp:
		err = ServeApp(os.Args[2])
	default:
		return 0, false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code, true
}

// windowsMachine is this machine with a folder of its own and all kinds.
func windowsMachine(t *testing.T) *Machine {
	t.Helper()
	m, err := NewMachine()
	if err != nil {
		t.Fatal(err)
	}
	m.Dir = filepath.Join(t.TempDir(), "envctl")
	t.Cleanup(func() { // a test that failed leaves nothing to the next
		if t.Failed() {
			m.Apply(context.Background(), guestproto.ApplyRequest{Owner: guestproto.Owner{Environment: "test", Instance: "1"}}, func(guestproto.Event) {})
		}
	})
	return m
}

// applied applies and gives every event as text.
func applied(t *testing.T, m *Machine, keep int, layers ...guestproto.Layer) (string, error) {
	t.Helper()
	var events strings.Builder
	err := m.Apply(context.Background(), guestproto.ApplyRequest{
		Owner: guestproto.Owner{Environment: "test", Instance: "1"}, Layers: numbered(layers...), Keep: keep,
	}, func(e guestproto.Event) { fmt.Fprintf(&events, "%s %s %s%s\n", e.Type, e.Layer, e.Message, e.Error) })
	if strings.Contains(events.String(), planted) {
		t.Errorf("a secret in the events: %s", events.String())
	}
	return events.String(), err
}

func mustApply(t *testing.T, m *Machine, keep int, layers ...guestproto.Layer) string {
	t.Helper()
	events, err := applied(t, m, keep, layers...)
	if err != nil {
		t.Fatalf("%v\n%s", err, events)
	}
	return events
}

func drift(t *testing.T, m *Machine) map[string]string {
	t.Helper()
	o, err := m.Observe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprint(o.Drifted), planted) {
		t.Errorf("a secret in what drifted: %v", o.Drifted)
	}
	return o.Drifted
}

// noSecretUnder reads every file of a folder.
func noSecretUnder(t *testing.T, dir string) {
	t.Helper()
	wide := string(utf16z(planted))
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".exe" { // this test's own program has it
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		if strings.Contains(string(b), planted) || strings.Contains(string(b), wide[:len(wide)-2]) {
			t.Errorf("a secret in %s", path)
		}
		return nil
	})
}

func TestRegistryLayer(t *testing.T) {
	const root = `SOFTWARE\envctl-test`
	defer deleteTree(registry.LOCAL_MACHINE, root, registry.WOW64_64KEY)
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, root+`\Had`, registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	k.SetDWordValue("Port", 1)
	k.SetStringsValue("List", []string{"x", "y"})
	k.SetExpandStringValue("", `%TEMP%\was`)
	k.SetStringValue("Other", "stays")

	values := map[string]guestproto.RegistryValue{
		"Host": {Type: "sz", Value: secret.Plain("db")},
		"Port": {Type: "sz", Value: hidden(planted)},
		"List": {Type: "multi_sz", Items: []secret.Text{secret.Plain("a"), secret.Plain("b")}},
		"":     {Type: "dword", Value: secret.Plain("0x10")},
		"Big":  {Type: "qword", Value: secret.Plain("5000000000")},
		"Neg":  {Type: "dword", Value: secret.Plain("-1")},
		"Bin":  {Type: "binary", Value: secret.Plain("00 ff 10")},
		"Exp":  {Type: "expand_sz", Value: secret.Plain("%TEMP%")},
	}
	had := guestproto.Layer{Kind: "registry", Name: `HKLM\` + root + `\Had`, Registry: &guestproto.Registry{Values: values}}
	deep := guestproto.Layer{Kind: "registry", Name: `HKLM\` + root + `\New\Deep`, Registry: &guestproto.Registry{Values: values}}
	m := windowsMachine(t)
	mustApply(t, m, 0, had, deep)

	if v, _, _ := k.GetStringValue("Port"); v != planted {
		t.Errorf("Port is %q", v)
	}
	if v, _, _ := k.GetIntegerValue(""); v != 16 {
		t.Errorf("the default value is %d", v)
	}
	if v, _, _ := k.GetIntegerValue("Big"); v != 5000000000 {
		t.Errorf("Big is %d", v)
	}
	if v, _, _ := k.GetStringsValue("List"); !slices.Equal(v, []string{"a", "b"}) {
		t.Errorf("List is %q", v)
	}
	if v, _, _ := k.GetBinaryValue("Bin"); string(v) != "\x00\xff\x10" {
		t.Errorf("Bin is %x", v)
	}
	if _, kind, _ := k.GetStringValue("Exp"); kind != registry.EXPAND_SZ {
		t.Errorf("Exp has type %d", kind)
	}
	noSecretUnder(t, m.Dir)
	if d := drift(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	k.SetStringValue("Port", "by hand")
	if d := drift(t, m); len(d) != 1 || !strings.Contains(d[had.ID()], `"Port" was changed`) {
		t.Errorf("drifted: %v", d)
	}

	mustApply(t, m, 0)
	if v, _, err := k.GetIntegerValue("Port"); v != 1 || err != nil {
		t.Errorf("Port came back as %d (%v)", v, err)
	}
	if v, _, _ := k.GetStringsValue("List"); !slices.Equal(v, []string{"x", "y"}) {
		t.Errorf("List came back as %q", v)
	}
	if v, kind, _ := k.GetStringValue(""); v != `%TEMP%\was` || kind != registry.EXPAND_SZ {
		t.Errorf("the default value came back as %q, type %d", v, kind)
	}
	names, _ := k.ReadValueNames(-1)
	slices.Sort(names)
	if !slices.Equal(names, []string{"", "List", "Other", "Port"}) {
		t.Errorf("values left: %q", names)
	}
	if _, err := registry.OpenKey(registry.LOCAL_MACHINE, root+`\New`, registry.QUERY_VALUE); !errors.Is(err, registry.ErrNotExist) {
		t.Errorf("a key is left: %v", err)
	}
}

func TestRegistryViewsAreTwo(t *testing.T) {
	l := guestproto.Layer{Kind: "registry", Name: `HKLM\SOFTWARE\envctl-view`, Registry: &guestproto.Registry{
		View: "32", Values: map[string]guestproto.RegistryValue{"a": {Type: "sz", Value: secret.Plain("b")}}}}
	m := windowsMachine(t)
	mustApply(t, m, 0, l)
	if _, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\envctl-view`, registry.QUERY_VALUE|registry.WOW64_64KEY); err == nil {
		t.Error("the key is in the 64-bit view")
	}
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\WOW6432Node\envctl-view`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		t.Fatal(err)
	}
	k.Close()
	mustApply(t, m, 0)
	if _, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\WOW6432Node\envctl-view`, registry.QUERY_VALUE|registry.WOW64_64KEY); err == nil {
		t.Error("the key is left")
	}
}

func TestEnvLayerReachesNewPrograms(t *testing.T) {
	m := windowsMachine(t)
	mustApply(t, m, 0, guestproto.Layer{Kind: "env", Name: "ENVCTL_TEST_VAR", Env: &guestproto.Env{Value: secret.Plain("seen")}})
	c := dial(t, m)
	read := func() string {
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		out, err := s.Output(`cmd /c "echo %ENVCTL_TEST_VAR%"`)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := read(); got != "seen" {
		t.Errorf("a program that starts now sees %q", got)
	}
	mustApply(t, m, 0)
	if got := read(); got == "seen" {
		t.Error("the variable is left")
	}
}

func TestFirewallLayer(t *testing.T) {
	m := windowsMachine(t)
	l := guestproto.Layer{Kind: "firewall", Name: "api", Firewall: &guestproto.Firewall{Port: 8080, Protocol: "tcp"}}
	mustApply(t, m, 0, l)
	if d := drift(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	mustApply(t, m, 0)
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, firewallRules, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return
	}
	names, _ := k.ReadValueNames(-1)
	k.Close()
	for _, n := range names {
		if strings.HasPrefix(n, "envctl") {
			t.Errorf("rule %q is left", n)
		}
	}
}

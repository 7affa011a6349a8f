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

	"github.com/google/go-cmp/cmp"
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

// older stands for what a secret was before: somebody may have put it back by hand.
const older = "0lder-s3cret"

func observed(t *testing.T, m *Machine) guestproto.Observation {
	t.Helper()
	o, err := m.Observe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{planted, older, textSHA256(planted)[:12], textSHA256(older)[:12]} {
		if told := fmt.Sprintf("%+v %+v", o, o.Manifest); strings.Contains(told, word) {
			t.Errorf("a secret, or its digest, in what is observed: %s", told)
		}
	}
	return o
}

func driftOf(t *testing.T, m *Machine) map[string]string {
	t.Helper()
	return observed(t, m).Drifted
}

// differ holds what drifted of a layer to these parts, each "name: want -> is".
func differ(t *testing.T, m *Machine, l guestproto.Layer, want ...string) {
	t.Helper()
	var is []string
	for _, d := range observed(t, m).Differences[l.ID()] {
		is = append(is, fmt.Sprintf("%s: %s -> %s", d.Name, d.Want, d.Is))
	}
	slices.Sort(is)
	slices.Sort(want)
	if diff := cmp.Diff(want, is); diff != "" {
		t.Errorf("%s (-want +got):\n%s", l.ID(), diff)
	}
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
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	k.SetStringValue("Port", older)
	if d := driftOf(t, m); len(d) != 1 || d[had.ID()] != `value "Port" was changed` {
		t.Errorf("drifted: %v", d)
	}
	differ(t, m, had, "values.Port: (sensitive) -> (sensitive, changed)")
	k.DeleteValue("Port")
	k.DeleteValue("Host")
	k.SetStringsValue("List", []string{"a", "c"})
	k.SetStringValue("Big", "5000000000")
	k.SetDWordValue("Neg", 2)
	k.SetDWordValue("", 17)
	k.SetBinaryValue("Bin", nil)
	if d := driftOf(t, m); d[had.ID()] != `value "" was changed; value "Big" was changed; value "Bin" was changed, and 4 more` {
		t.Errorf("drifted: %v", d)
	}
	differ(t, m, had, "values.(default): 16 -> 17", "values.Big.type: qword -> sz", `values.Bin: 00ff10 -> ""`, "values.Host: db -> ", "values.List: a, b -> a, c",
		"values.Neg: 4294967295 -> 2", "values.Port: (sensitive) -> ")
	deleteTree(registry.LOCAL_MACHINE, root+`\New\Deep`, registry.WOW64_64KEY)
	if o := observed(t, m); o.Drifted[deep.ID()] != "the key is gone" || len(o.Differences[deep.ID()]) != len(values) {
		t.Errorf("drifted: %v, %v", o.Drifted, o.Differences[deep.ID()])
	}
	mustApply(t, m, 0, had, deep)
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted after it was mended: %v", d)
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

// setByHand changes a value of the machine's as a person does.
func setByHand(t *testing.T, key, name, value string) {
	t.Helper()
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.SET_VALUE)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.SetStringValue(name, value); err != nil {
		t.Fatal(err)
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
	l := guestproto.Layer{Kind: "env", Name: "ENVCTL_TEST_VAR", Env: &guestproto.Env{Value: secret.Plain("seen")}}
	mustApply(t, m, 0, l)
	setByHand(t, machineEnvironment, "ENVCTL_TEST_VAR", "by hand")
	differ(t, m, l, "value: seen -> by hand")
	setByHand(t, machineEnvironment, "ENVCTL_TEST_VAR", strings.Repeat("long", 20))
	differ(t, m, l, "value: seen -> "+guestproto.Digest(strings.Repeat("long", 20)))
	mustApply(t, m, 0, l)
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
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	if underWine() { // which has no interface: the rule is in the registry
		const name = "envctl api tcp 8080"
		setByHand(t, firewallRules, name, "v2.10|Action=Block|Active=FALSE|Dir=In|Protocol=17|LPort=8080|RA4=10.0.0.1|Name="+name+"|")
		differ(t, m, l, "action: allow -> block", "enabled: yes -> no", "protocol: tcp -> udp", "ra4:  -> 10.0.0.1")
		mustApply(t, m, 0, l)
		if d := driftOf(t, m); len(d) != 0 {
			t.Errorf("drifted after it was mended: %v", d)
		}
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

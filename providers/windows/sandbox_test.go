package windows

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

// sandboxMachine is the sandbox as a machine that the spec names by its address, so that Remove undoes what is on it.
func sandboxMachine(box *sandboxtest.Sandbox, layers ...guestproto.Layer) *envspec.Machine {
	m := machine(layers...)
	m.Address = "127.0.0.1"
	m.WinRM = envspec.WinRM{User: box.User, Password: secret.Text{Value: box.Password, Sensitive: true}, Port: box.HTTPSPort,
		HTTPS: true, Auth: "ntlm", Fingerprint: box.Fingerprint}
	return m
}

func TestOnASandbox(t *testing.T) {
	box := sandboxtest.Start(t)
	p := New(Options{Helper: sandboxtest.Helper(t)})
	t.Cleanup(func() { p.Close() })
	const planted = "pl4nted-Passw0rd"
	text := secret.Text{Value: planted, Sensitive: true}
	registry := guestproto.Layer{Kind: "registry", Name: `HKLM\SOFTWARE\EnvctlTest`, Registry: &guestproto.Registry{
		Values: map[string]guestproto.RegistryValue{"Password": {Type: "sz", Value: text}}}}
	m := sandboxMachine(box, registry,
		guestproto.Layer{Kind: "reboot", Name: "now", Reboot: &guestproto.Reboot{When: "always"}},
		guestproto.Layer{Kind: "env", Name: "ENVCTL_TEST", Env: &guestproto.Env{Value: secret.Plain("after the reboot")}})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var l log

	if o := observeOne(t, p, m); o.State != providers.Missing {
		t.Fatalf("a fresh machine: %+v", o)
	}
	if left := box.Exec(t, "sh", "-c", `find / -xdev -iname 'envctl-guest.exe' -path '*ProgramData*' 2>/dev/null || true`); left != "" {
		t.Errorf("looking at it left %s there", left)
	}
	if err := p.Apply(ctx, change(m, 0), l.sink); err != nil {
		t.Fatalf("%v\n%s", err, l.text())
	}
	o := observeOne(t, p, m)
	if o.State != providers.Ready || len(o.Manifest.Layers) != 3 || len(o.Drifted) != 0 {
		t.Errorf("observed %+v\n%s", o, l.text())
	}
	if !strings.Contains(l.text(), "the machine is back") {
		t.Errorf("no restart in\n%s", l.text())
	}
	if strings.Contains(l.text(), planted) || strings.Contains(l.text(), box.Password) {
		t.Errorf("a secret is in\n%s", l.text())
	}

	t.Run("exec", func(t *testing.T) {
		for name, c := range map[string]struct {
			opts providers.ExecOptions
			code int
			out  string
		}{
			"code":   {providers.ExecOptions{Command: []string{"cmd.exe", "/c", "exit 3010"}}, 3010, ""},
			"env":    {providers.ExecOptions{Command: []string{"cmd.exe", "/c", "echo %A%"}, Env: []string{"A=b=c"}}, 0, "b=c"},
			"stdin":  {providers.ExecOptions{Command: []string{"findstr", "x"}, Stdin: strings.NewReader("axe\r\nbee\r\n")}, 0, "axe"},
			"folder": {providers.ExecOptions{Command: []string{"cmd.exe", "/c", "cd"}, WorkingDir: `C:\Program Files`}, 0, `C:\Program Files`},
			"shell":  {providers.ExecOptions{Stdin: strings.NewReader("echo from the shell\r\nexit\r\n")}, 0, "from the shell"},
		} {
			t.Run(name, func(t *testing.T) {
				var out, errs bytes.Buffer
				c.opts.Stdout, c.opts.Stderr = &out, &errs
				ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
				defer cancel()
				code, err := p.Exec(ctx, o, c.opts)
				if err != nil || code != c.code || !strings.Contains(out.String(), c.out) {
					t.Errorf("exit code %d, %v, out %q, err %q", code, err, &out, &errs)
				}
			})
		}
	})
	t.Run("helper of another version", func(t *testing.T) {
		// Looking at a machine that an older envctl set up: its manifest says that a helper may come.
		box.Exec(t, "sh", "-c", `rm -rf "$(dirname "$(find / -xdev -iname manifest.json -path '*ProgramData*' 2>/dev/null)")"/bin/*`)
		other := New(Options{Helper: sandboxtest.Helper(t)})
		defer other.Close()
		if o := observeOne(t, other, m); o.State != providers.Ready || o.Manifest == nil {
			t.Errorf("observed %+v", o)
		}
	})
	if err := p.Remove(ctx, providers.Change{Action: providers.Delete, Instance: instance(), Observed: &o}, l.sink); err != nil {
		t.Fatal(err)
	}
	if left := box.Exec(t, "sh", "-c", `find / -xdev -ipath '*ProgramData/envctl*' 2>/dev/null || true`); left != "" {
		t.Errorf("left behind: %s", left)
	}
	if o := observeOne(t, p, m); o.State != providers.Missing {
		t.Errorf("after Remove: %+v", o)
	}
	all, err := json.Marshal(l.events)
	if err != nil || bytes.Contains(all, []byte(planted)) {
		t.Errorf("a secret is in the events (%v)", err)
	}
}

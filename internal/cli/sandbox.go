package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/internal/sandbox"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/internal/topology"
	"github.com/envctl/envctl/internal/wire"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

func (a *app) sandboxCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sandbox",
		Short: "Run a stand-in for a Windows machine by itself",
		Long: `Run a stand-in for a Windows machine (Wine behind a WS-Management server, in a container) in the foreground,
for any WinRM client to talk to. Its endpoints, user, password and the SHA-256 of its certificate are printed on
stdout; Ctrl-C removes it. It is not Windows: what works on it may still fail on a real machine.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.sandbox() },
	}
}

// sandboxAddr is the address of the one machine that "envctl sandbox" runs.
var sandboxAddr = addr.Addr{Kind: addr.Sandbox, Name: "windows"}

func (a *app) sandbox() (err error) {
	ctx := a.interrupts.stop
	id := make([]byte, 4)
	rand.Read(id) // never fails: crypto/rand
	w, err := a.world(providers.Instance{Environment: "sandbox", ID: hex.EncodeToString(id)})
	if err != nil {
		return err
	}
	defer w.close()
	where, err := w.docker.EngineInfo(ctx)
	if err != nil {
		return err
	}
	if where.Remote {
		return fmt.Errorf("the Docker engine is %s, and a sandbox by itself is not carried to this one; use a windows block with source \"sandbox\", or an engine here (docker context use)", where)
	}
	machine, identity, err := w.oneSandbox(ctx)
	if err != nil {
		return err
	}
	bodies := map[addr.Addr]any{topology.NetworkAddr: &providers.Network{}, machine.Addr: machine}
	nodes, err := topology.Nodes(bodies, buildIdentity)
	if err != nil {
		return err
	}
	p, err := plan.Make(nodes, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.removeSandbox()) }()
	if err := w.run("sandbox", p, func(a addr.Addr) any { return bodies[a] }); err != nil {
		return err
	}
	if err := a.printSandbox(machine, identity); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// oneSandbox describes a sandbox with an identity that lives as long as it does.
func (w *world) oneSandbox(ctx context.Context) (*envspec.Container, topology.Identity, error) {
	made, err := newIdentity("localhost")
	if err != nil {
		return nil, topology.Identity{}, err
	}
	identity := topology.Identity{
		User: made.Public["user"], Fingerprint: made.Public["fingerprint"], Certificate: made.Public["certificate"],
		Password: secret.Text{Value: made.Values["password"], Sensitive: true},
		Key:      secret.Text{Value: made.Values["key"], Sensitive: true},
	}
	h, err := w.helpers(ctx)
	if err != nil {
		return nil, identity, err
	}
	c, err := topology.Sandbox(sandboxAddr, identity, h, w.powershell())
	if err != nil {
		return nil, identity, err
	}
	net, err := w.network(ctx)
	if err != nil {
		return nil, identity, err
	}
	c.Build.Egress = net.Inside()
	c.Restart = "no"
	c.After = []addr.Addr{topology.NetworkAddr}
	c.Ports = append(c.Ports, envspec.Port{Name: "http", Guest: sandbox.HTTPPort, Protocol: "tcp"})
	published, err := w.docker.PortsInUse(ctx)
	if err != nil {
		return nil, identity, err
	}
	in := wire.Input{Environment: w.instance.Environment, Instance: w.instance.ID, Taken: taken(ctx, published, nil)}
	for _, p := range c.Ports {
		in.ExtraHost = append(in.ExtraHost, addr.Endpoint{Addr: c.Addr, Port: p.Name})
	}
	ports, err := wire.Assign(in)
	if err != nil {
		return nil, identity, err
	}
	for i := range c.Ports {
		c.Ports[i].Host = ports.HostPort(addr.Endpoint{Addr: c.Addr, Port: c.Ports[i].Name})
	}
	return c, identity, nil
}

// removeSandbox leaves nothing but the image, for the next time; "envctl down" removes that with the last
// environment that uses it.
func (w *world) removeSandbox() error {
	// Ctrl-C brought us here; a second one cuts this short as well.
	observed, err := w.docker.Observe(w.interrupts.now, w.instance)
	if err != nil {
		return err
	}
	w.engine.Bodies = func(addr.Addr) any { return nil }
	return w.engine.Run(w.interrupts.now, w.interrupts.now, plan.Destroy(observed))
}

func (a *app) printSandbox(c *envspec.Container, id topology.Identity) error {
	url := func(scheme string, i int) string {
		return fmt.Sprintf("%s://127.0.0.1:%d/wsman", scheme, c.Ports[i].Host)
	}
	out := struct {
		Format      int    `json:"format"`
		HTTPS       string `json:"https"`
		HTTP        string `json:"http"`
		Username    string `json:"username"`
		Password    string `json:"password"`
		Fingerprint string `json:"fingerprint"`
	}{1, url("https", 0), url("http", 1), id.User, id.Password.Reveal(), id.Fingerprint}
	if a.json {
		return json.NewEncoder(a.Out).Encode(out)
	}
	var b strings.Builder
	for _, row := range [][2]string{
		{"https", out.HTTPS}, {"http", out.HTTP}, {"username", out.Username}, {"password", out.Password}, {"fingerprint", out.Fingerprint},
	} {
		fmt.Fprintf(&b, "%-11s  %s\n", row[0], row[1])
	}
	if _, err := fmt.Fprint(a.Out, b.String()); err != nil {
		return err
	}
	a.say("\nA stand-in for Windows is up. Ctrl-C removes it.")
	return nil
}

func buildIdentity(c *envspec.Container) (string, error) {
	return docker.BuildIdentity(c.Build, c.Platform)
}

// powershell is a folder with PowerShell for Windows, for sandboxes to run; "" where nobody named one.
func (a *app) powershell() string {
	dir, _ := a.Getenv("ENVCTL_SANDBOX_PWSH")
	if dir == "" {
		return ""
	}
	return a.abs(dir)
}

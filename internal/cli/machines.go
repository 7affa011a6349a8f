package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// machineRecord is what the gateway's label says of a machine that envctl did not make: where it is and where
// its credential comes from, never the credential. With it the machine can be cleaned up when its block, or the
// whole spec, has gone.
type machineRecord struct {
	Address     string
	Port        int
	HTTPS       bool
	Auth        string `json:",omitempty"`
	Insecure    bool   `json:",omitempty"`
	Fingerprint string `json:",omitempty"`
	CAFile      string `json:",omitempty"`
	Credential  envspec.CredentialSource
	// SpecDir is where relative paths of the credential start.
	SpecDir string
}

const machineMeta = "machine"

// recordMachines labels the gateways of machines that are not sandboxes.
func (s *session) recordMachines(env *envspec.Environment, bodies map[addr.Addr]any) error {
	for _, m := range env.Machines {
		gw, ok := bodies[m.Addr.Sibling(addr.Gateway)].(*envspec.Container)
		if m.Sandbox || !ok {
			continue
		}
		r := machineRecord{
			Address: m.Address, Port: m.WinRM.Port, HTTPS: m.WinRM.HTTPS, Auth: m.WinRM.Auth, Insecure: m.WinRM.Insecure,
			Fingerprint: m.WinRM.Fingerprint, CAFile: m.WinRM.CAFile, SpecDir: s.instance.SpecDir,
		}
		for _, c := range s.spec.Credentials() {
			if c.Name == m.WinRM.Credential {
				r.Credential = c
				r.Credential.Command = nil // its words may hold a token
			}
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		gw.Labels = map[string]string{docker.MetaPrefix + machineMeta: string(text)}
	}
	return nil
}

// recorded rebuilds a machine from its gateway's label, with its password. It is nil where the gateway is a
// sandbox's.
func (w *world) recorded(ctx context.Context, gw providers.Observed) (*envspec.Machine, error) {
	text, ok := gw.Meta[machineMeta]
	if !ok {
		return nil, nil
	}
	a := gw.Addr.Sibling(addr.Windows)
	var r machineRecord
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("%s: what its gateway's label says of it cannot be read: %w", a, err)
	}
	secrets := credential.NewPlanner(w.store, []envspec.CredentialSource{r.Credential}, w.Getenv)
	secrets.Dir, secrets.Stderr = r.SpecDir, w.Err
	v, there, err := secrets.Existing(ctx, r.Credential.Name)
	if err == nil && !there {
		err = errNoPassword
	}
	if err != nil {
		return nil, err
	}
	ca := ""
	if r.CAFile == "" && r.Fingerprint == "" {
		net, err := w.network(ctx)
		if err != nil {
			return nil, err
		}
		if net != nil {
			ca = net.CA
		}
	}
	return &envspec.Machine{Addr: a, Address: r.Address, WinRM: envspec.WinRM{
		ExtraCA:    ca,
		Credential: r.Credential.Name, User: v.Username, Password: secret.Text{Value: v.Password, Sensitive: true},
		Port: r.Port, HTTPS: r.HTTPS, Auth: r.Auth, Insecure: r.Insecure, Fingerprint: r.Fingerprint, CAFile: r.CAFile,
	}}, nil
}

// abandoned looks at the machines whose gateways are among observed and which stay says are not wanted any
// more, so that a plan undoes what was set up on them. Their gateways are stopped at their turn.
func (w *world) abandoned(ctx context.Context, observed []providers.Observed, stay func(addr.Addr) bool) ([]providers.Observed, error) {
	var ask []*envspec.Machine
	var errs []error
	for _, o := range observed {
		if o.Addr.Kind != addr.Gateway || stay(o.Addr.Sibling(addr.Windows)) {
			continue
		}
		m, err := w.recorded(ctx, o)
		if err != nil {
			errs = append(errs, fmt.Errorf("what was set up on %s cannot be undone: %w; \"envctl down --leave-machines\" leaves it there",
				o.Addr.Sibling(addr.Windows), err))
		} else if m != nil {
			ask = append(ask, m)
		}
	}
	if err := errors.Join(errs...); err != nil || len(ask) == 0 {
		return nil, err
	}
	seen, err := w.windows.Observe(ctx, w.instance, ask)
	for i := range seen {
		if seen[i].State == providers.Unreachable {
			err = errors.Join(err, fmt.Errorf("%s is out of reach: %s; \"envctl down --leave-machines\" leaves what was set up there", seen[i].Addr, seen[i].Detail))
		}
		// Its gateway goes after it, since that holds the record of it.
		seen[i].After = []addr.Addr{seen[i].Addr.Sibling(addr.Gateway)}
	}
	return seen, err
}

// stopGateways keeps the gateways of machines that p sets free from bringing the helper back to them.
func (w *world) stopGateways(ctx context.Context, observed []providers.Observed, goes func(addr.Addr) bool) error {
	for _, o := range observed {
		if _, own := o.Meta[machineMeta]; own && goes(o.Addr.Sibling(addr.Windows)) {
			if err := w.docker.Stop(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

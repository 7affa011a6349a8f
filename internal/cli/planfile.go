package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/internal/topology"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
)

// planFile is a plan that was written down, to be carried out as it was seen or not at all. It holds no secret.
type planFile struct {
	Format      int             `json:"format"`
	Envctl      string          `json:"envctl"` // the version that wrote it
	Environment string          `json:"environment"`
	Instance    string          `json:"instance"`
	Changes     []plannedChange `json:"changes"`
	// Digest covers all that two plans must have in common to be the same: not words, which may tell how long
	// ago something stopped.
	Digest string `json:"digest"`
}

// plannedChange is a change, what it will come to as far as a person may see it, and in one hash all of that and
// what it takes away.
type plannedChange struct {
	planChange
	Parts       map[string]string `json:"parts,omitempty"`
	Fingerprint string            `json:"fingerprint"`
}

// planFile writes a session's plan down, what stays as it is left out.
func (s *session) planFile(ctx context.Context) (*planFile, error) {
	nodes, err := s.lasting(ctx)
	if err != nil {
		return nil, err
	}
	version, _ := buildVersion(s.version)
	f := &planFile{
		Format: view.Format, Envctl: version, Environment: s.instance.Environment, Instance: s.instance.ID,
		Changes: []plannedChange{},
	}
	changes := planJSON(s.plan).Changes
	for i, op := range s.plan.Operations {
		if op.Action != providers.None {
			n := nodes[op.Addr]
			f.Changes = append(f.Changes, plannedChange{changes[i], partsOf(n), fingerprint(op, n)})
		}
	}
	f.Digest = f.digest()
	return f, nil
}

// lasting gives the desired nodes as another run would find them: where a credential has yet to be made, and so
// has another version in each run, it counts as new.
func (s *session) lasting(ctx context.Context) (map[addr.Addr]providers.Node, error) {
	env, diags := s.spec.Evaluate(s.ports, lastingCredentials{s.secrets.StandIns(ctx), s.secrets})
	if err := s.refuse(s.spec, diags); err != nil {
		return nil, err
	}
	net := s.netStandIn()
	if s.secrets.Passing(proxyLogin) {
		net = s.net.Replace(newStandIn(proxyLogin))
	}
	bodies, err := s.bodies(env, func(machine addr.Addr) (topology.Identity, error) {
		id, err := s.identities.standIn(machine)
		if box := machine.Sibling(addr.Sandbox).String(); s.secrets.Passing(box) {
			id.Certificate, id.Fingerprint = "new", "new"
			id.Password.Value, id.Key.Value = newStandIn(box), newStandIn(box+" key")
		}
		return id, err
	}, net)
	if err != nil {
		return nil, err
	}
	list, err := topology.Nodes(bodies, buildIdentity)
	nodes := make(map[addr.Addr]providers.Node, len(list))
	for _, n := range list {
		nodes[n.Addr] = n
	}
	return nodes, err
}

type lastingCredentials struct {
	envspec.Credentials
	secrets *credential.Planner
}

func (l lastingCredentials) Credential(name string) (envspec.CredentialValue, error) {
	v, err := l.Credentials.Credential(name)
	if l.secrets.Passing(name) {
		v.Password = newStandIn(name)
	}
	return v, err
}

func newStandIn(name string) string { return credential.StandIn(name, "new") }

// partsOf names what a node is made of; of a machine, its layers, each by the start of its hash.
func partsOf(n providers.Node) map[string]string {
	if n.Layers == nil {
		return n.Parts
	}
	parts := make(map[string]string, len(n.Layers))
	for _, l := range n.Layers {
		parts[l.ID()] = fmt.Sprintf("%.12s", l.Hash)
	}
	return parts
}

func fingerprint(op plan.Operation, n providers.Node) string {
	parts := map[string]string{"identity": n.Identity, "mutable": n.Mutable}
	for _, l := range n.Layers {
		parts["layer "+l.ID()] = l.Hash
	}
	for _, a := range n.After {
		parts["after "+a.String()] = "yes"
	}
	if op.Observed != nil && (op.Action == providers.Replace || op.Action == providers.Delete) {
		parts["gone"] = op.Observed.Identity
	}
	return "sha256:" + topology.Hash(parts)
}

func (f *planFile) digest() string {
	parts := map[string]string{"environment": f.Environment, "instance": f.Instance}
	for i, c := range f.Changes {
		text := []string{c.Address.String(), string(c.Action), c.Fingerprint}
		for _, l := range c.Layers {
			text = append(text, string(l.Action)+" "+l.Name)
		}
		parts[fmt.Sprint(i)] = strings.Join(text, "\n")
	}
	return "sha256:" + topology.Hash(parts)
}

// String gives what a person compares, a line for each thing that is to happen.
func (f *planFile) String() string {
	var b strings.Builder
	for _, c := range f.Changes {
		fmt.Fprintf(&b, "%s %s: %s\n", c.Action, c.Address, c.Cause)
		for _, name := range slices.Sorted(maps.Keys(c.Parts)) {
			fmt.Fprintf(&b, "    %s = %s\n", name, c.Parts[name])
		}
		for _, l := range c.Layers {
			fmt.Fprintf(&b, "    %s %s\n", l.Action, l.Name)
		}
		fmt.Fprintf(&b, "    fingerprint %.19s\n", c.Fingerprint)
	}
	return b.String()
}

func (f *planFile) write(path string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// canWrite refuses the path of a plan that has no folder to lie in, or is one.
func canWrite(path string) error {
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s to write the plan to; make it first", filepath.Dir(path))
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder; --out takes the file to write the plan to", path)
	}
	return nil
}

func readPlanFile(path string) (*planFile, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no plan %s; \"envctl plan --out FILE\" writes one, and \"envctl up\" alone needs none", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	var f planFile
	err = json.NewDecoder(bytes.NewReader(text)).Decode(&f)
	switch {
	case err != nil || f.Format == 0 || f.Digest == "":
		return nil, fmt.Errorf("%s is not a plan; \"envctl plan --out FILE\" writes one", path)
	case f.Format > view.Format:
		return nil, fmt.Errorf("%s was written by a newer envctl, %s; carry it out with that, or plan again", path, f.Envctl)
	case f.Digest != f.digest():
		return nil, fmt.Errorf("%s was changed after it was written; plan again", path)
	}
	return &f, nil
}

// planOfThis refuses a plan of another environment or instance.
func (s *session) planOfThis(p *planFile) error {
	if p.Environment == s.instance.Environment && p.Instance == s.instance.ID {
		return nil
	}
	return fmt.Errorf("the plan is for %s, instance %s, and this is %s, instance %s; run it where it was made, or plan again",
		p.Environment, p.Instance, s.instance.Environment, s.instance.ID)
}

// holdTo refuses a plan that is not the one that was written down.
func (s *session) holdTo(ctx context.Context, was *planFile) error {
	is, err := s.planFile(ctx)
	if err != nil || is.Digest == was.Digest {
		return err
	}
	var b bytes.Buffer
	if err := view.Diff(&b, "as planned", "now", []byte(was.String()), []byte(is.String()), false); err != nil {
		return err
	}
	return fmt.Errorf("what is to do is no longer what was planned, so nothing was done; plan again\n\n%s", b.String())
}

package cli

import (
	"context"
	"crypto/rand"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/sandbox"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/internal/topology"
)

// identities are the users, passwords and certificates of sandboxes: generated credentials like any other,
// so that nothing has to be learnt from a machine once it is there.
type identities struct {
	ctx     context.Context // of the run: topology asks without one
	store   *credential.Store
	secrets *credential.Planner
}

// newIdentity makes what a sandbox is set up with. Only the user and the fingerprint are not secret.
func newIdentity(host string) (credential.Made, error) {
	cert, key, fingerprint, err := sandbox.NewCertificate(host)
	if err != nil {
		return credential.Made{}, err
	}
	return credential.Made{
		Values: map[string]string{"password": rand.Text(), "key": string(key)},
		Public: map[string]string{"user": sandbox.DefaultUser, "fingerprint": fingerprint, "certificate": string(cert)},
	}, nil
}

func (i *identities) plan(machine addr.Addr) (credential.Version, topology.Identity, error) {
	box := machine.Sibling(addr.Sandbox)
	version, public, err := i.secrets.Generated(box.String(), func() (credential.Made, error) { return newIdentity(box.DNS()) })
	return version, topology.Identity{User: public["user"], Fingerprint: public["fingerprint"], Certificate: public["certificate"]}, err
}

// standIn gives a sandbox's identity with stand-ins for what is secret.
func (i *identities) standIn(machine addr.Addr) (topology.Identity, error) {
	version, id, err := i.plan(machine)
	name := machine.Sibling(addr.Sandbox).String()
	id.Password = secret.Text{Value: credential.StandIn(name, version.ID), Sensitive: true}
	id.Key = secret.Text{Value: credential.StandIn(name+" key", version.ID), Sensitive: true}
	return id, err
}

// value gives the real one; a new one is kept before it is handed out.
func (i *identities) value(machine addr.Addr) (topology.Identity, error) {
	_, id, err := i.plan(machine)
	if err != nil {
		return id, err
	}
	values, err := i.secrets.Values(i.ctx).Generated(machine.Sibling(addr.Sandbox).String())
	id.Password, id.Key = values["password"], values["key"]
	return id, err
}

// existing gives the real one of a sandbox that was made before, and whether there is one.
func (i *identities) existing(machine addr.Addr) (topology.Identity, bool, error) {
	if _, there, err := i.store.Index(machine.Sibling(addr.Sandbox).String()); err != nil || !there {
		return topology.Identity{}, false, err
	}
	id, err := i.value(machine)
	return id, err == nil, err
}

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/gateway"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/internal/resolve"
	"github.com/envctl/envctl/internal/topology"
	"github.com/envctl/envctl/internal/wire"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// session is one spec against one instance, from the files to the plan. Each step asks the one before it.
type session struct {
	*world
	spec *envspec.Spec

	where      docker.EngineInfo    // where the engine is
	helpers    topology.Helpers     // set where the spec has machines, or the engine is elsewhere
	observed   []providers.Observed // what the engine has; the machines are added by observeMachines
	lost       map[int]string       // ports that an engine could not have, whatever was seen, and whose they are
	ports      *wire.Assignment
	identities *identities
	marks      marks
	netLogin   credential.Version
	standIns   *envspec.Environment
	nodes      []providers.Node
	plan       *plan.Plan
	agreed     consent   // to the removal of what is no longer in the spec
	locked     *lockFile // what images and files are held to; nil where nothing is
	watching   *watching // of up --watch
}

// open loads the spec of a command that goes on to work with it. Mistakes are shown, warnings too.
func (a *app) open() (*session, error) {
	spec, diags, err := a.load()
	if err != nil {
		return nil, err
	}
	if err := a.refuse(spec, diags); err != nil {
		return nil, err
	}
	id, err := a.instanceID(spec.Dir)
	if err != nil {
		return nil, err
	}
	w, err := a.world(providers.Instance{Environment: spec.Name, ID: id, SpecDir: spec.Dir})
	if err != nil {
		return nil, err
	}
	w.credentials(spec.Credentials())
	return &session{world: w, spec: spec}, nil
}

// refuse shows diagnostics and fails where there is an error among them.
func (a *app) refuse(spec *envspec.Spec, diags hcl.Diagnostics) error {
	if err := a.diagnostics(spec, diags); err != nil {
		return err
	}
	if diags.HasErrors() {
		return said{"the spec has mistakes", ExitFailed}
	}
	return nil
}

// makePlan goes from the spec to the plan: observe, assign ports, evaluate with stand-ins, hash, compare.
// It changes nothing.
func (s *session) makePlan(ctx context.Context) error {
	if err := s.readLock(ctx); err != nil {
		return err
	}
	if err := s.observe(ctx); err != nil {
		return err
	}
	if err := s.evaluate(ctx); err != nil {
		return err
	}
	if err := resolve.Unsummed(s.standIns); err != nil {
		return err
	}
	if err := s.docker.CheckExternal(ctx, s.nodes); err != nil {
		return err
	}
	machines, err := s.observeMachines(ctx)
	if err != nil {
		return err
	}
	gone, err := s.abandoned(ctx, s.observed, s.wants)
	if err != nil {
		return err
	}
	machines = append(machines, gone...)
	if s.plan, err = plan.Make(s.nodes, append(machines, s.observed...)); err != nil {
		return err
	}
	explainIdle(s.plan, s.spec)
	return nil
}

// wants reports whether a resource is in the spec.
func (s *session) wants(a addr.Addr) bool {
	return slices.ContainsFunc(s.nodes, func(n providers.Node) bool { return n.Addr == a })
}

// observe asks the engine what there is, and assigns the ports with that in mind.
func (s *session) observe(ctx context.Context) error {
	var published []docker.PortInUse
	if err := s.place(ctx); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		s.observed, published, err = s.docker.Survey(gctx, s.instance)
		return err
	})
	if s.hasMachines() || s.where.Remote {
		g.Go(func() (err error) {
			s.helpers, err = s.world.helpers(gctx)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.seeForward()
	return s.assignPorts(s.taken(ctx, published))
}

// seeForward adds to what the engine has of the forward how its process on this computer is.
func (s *session) seeForward() {
	for i, o := range s.observed {
		if o.Addr == topology.ForwardAddr && o.State == providers.Ready {
			s.observed[i].State, s.observed[i].Detail = s.forward.look()
		}
	}
}

// place finds out where the engine is, on which depends what can be had of it.
func (s *session) place(ctx context.Context) (err error) {
	if s.where, err = s.docker.EngineInfo(ctx); err == nil && s.where.Remote {
		s.spec.Elsewhere = s.where.Host
	}
	return err
}

func (s *session) hasMachines() bool {
	return slices.ContainsFunc(s.spec.Resources(), func(r envspec.ResourceDecl) bool { return r.Machine != nil })
}

// assignPorts gives every endpoint its ports: those that were observed stay.
func (s *session) assignPorts(taken wire.Taken) error {
	in := wire.Input{
		Environment: s.instance.Environment, Instance: s.instance.ID,
		Endpoints:     s.spec.Endpoints(),
		RecordedHost:  map[addr.Endpoint]int{},
		RecordedGuest: map[addr.Addr]map[addr.Endpoint]int{},
		Taken:         taken,
	}
	for _, r := range s.spec.Resources() {
		m := r.Machine
		if m == nil {
			continue
		}
		in.Machines = append(in.Machines, r.Addr)
		if m.Sandbox {
			in.ExtraHost = append(in.ExtraHost, topology.SandboxEndpoint(r.Addr))
		} else {
			in.ExtraHost = append(in.ExtraHost, topology.RelayEndpoint(r.Addr))
		}
	}
	s.secrets.Recorded = map[string]credential.Version{}
	for i, o := range s.observed {
		if len(o.Carried) > 0 {
			s.observed[i].Mutable = topology.HashCarried(o.Carried)
		}
		readMarks(o.Meta, s.secrets.Recorded)
		owner := o.Addr
		if owner.Kind == addr.Gateway {
			owner = owner.Sibling(addr.Windows)
			in.RecordedGuest[owner] = recordedGuest(o)
		}
		for name, port := range o.Ports {
			if _, lost := s.lost[port]; lost {
				continue
			}
			in.RecordedHost[addr.Endpoint{Addr: owner, Port: name}] = port
		}
	}
	var err error
	s.ports, err = wire.Assign(in)
	return err
}

// recordedGuest reads from a gateway at which ports its machine reaches the endpoints it was given.
func recordedGuest(o providers.Observed) map[addr.Endpoint]int {
	var w gateway.Wires
	if json.Unmarshal(o.Carried[gateway.WiresPath], &w) != nil {
		return nil // a gateway of another version: its wires are written anew
	}
	ports := map[addr.Endpoint]int{}
	for _, r := range w.Reverse {
		ports[r.To] = r.GuestListen
	}
	return ports
}

// evaluate gives the desired nodes, with stand-ins for secrets.
func (s *session) evaluate(ctx context.Context) error {
	env, diags := s.spec.Evaluate(s.ports, s.secrets.StandIns(ctx))
	if err := s.refuse(s.spec, diags); err != nil {
		return err
	}
	s.standIns = env
	if err := s.planNetwork(ctx); err != nil {
		return err
	}
	s.identities = &identities{ctx: ctx, store: s.store, secrets: s.secrets}
	bodies, err := s.bodies(env, s.identities.standIn, s.netStandIn())
	if err != nil {
		return err
	}
	if s.marks, err = s.markCredentials(ctx, bodies); err != nil {
		return err
	}
	s.marks.put(bodies)
	s.nodes, err = topology.Nodes(bodies, buildIdentity)
	nameMarks(s.nodes)
	if s.rebuild {
		buildAgain(s.nodes)
	}
	return err
}

func (s *session) bodies(env *envspec.Environment, identity func(addr.Addr) (topology.Identity, error), net *egress.Settings) (map[addr.Addr]any, error) {
	if err := s.useLock(env); err != nil {
		return nil, err
	}
	in := topology.Input{
		Environment: env, Endpoints: s.spec.Endpoints(), Ports: s.ports, Sandbox: identity, Egress: net,
		HostReachable: runtime.GOOS != "linux", Remote: s.spec.Elsewhere,
	}
	if len(env.Machines) > 0 || s.where.Remote {
		in.Helpers = s.helpers
		in.PowerShell = s.powershell()
	}
	bodies, err := topology.Bodies(in)
	if err != nil {
		return nil, err
	}
	return bodies, s.recordMachines(env, bodies)
}

// values evaluates the spec once more, with the real secrets, for what is about to be made.
func (s *session) values() (*envspec.Environment, map[addr.Addr]any, error) {
	env, diags := s.spec.Evaluate(s.ports, s.secrets.Values(s.interrupts.stop))
	if diags.HasErrors() {
		return nil, nil, s.refuse(s.spec, diags)
	}
	if s.net.Logins() != "" { // the key behind its version has to outlive this run
		if _, err := s.secrets.Values(s.interrupts.stop).Generated(proxyLogin); err != nil {
			return nil, nil, err
		}
	}
	bodies, err := s.bodies(env, s.identities.value, s.net)
	s.marks.put(bodies)
	return env, bodies, err
}

// storeDir is where the credentials of an instance are kept.
func (a *app) storeDir(i providers.Instance) string {
	return filepath.Join(a.stateDir(), i.Environment+"-"+i.ID)
}

var errNothingThere = errors.New("nothing of this environment is up; \"envctl up\" makes it")

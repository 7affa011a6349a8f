// Package providers is the contract between the engine and whatever makes things true: Docker,
// Windows machines. Concrete providers live in the folders below and never import each other; the
// command line wires them up in an explicit list.
package providers

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guestproto"
)

// Instance is one copy of an environment: what is made carries both names.
type Instance struct {
	Environment string
	ID          string
	SpecDir     string // absolute; "" where there is no spec at hand
}

// Node is one resource as it should be.
type Node struct {
	Addr addr.Addr
	// Identity hashes all that makes the resource what it is; another identity means replace.
	Identity string
	// Mutable hashes what can change without replacing; another value means update.
	Mutable string
	// Parts are the hashes and shown values that Identity is made of, by a name a person knows
	// ("image", "env.PGHOST"), so that a plan can say what changed. Never a secret.
	Parts map[string]string
	// Layers is the stack of a Windows machine; nil for anything else. Layer hashes are chained.
	Layers []guestproto.Layer
	// After are the resources that must be ready first.
	After []addr.Addr
	// Anew, where it is not empty, says why the resource is made anew, its image too, although nothing of it changed.
	Anew string
	// Body is *envspec.Container, *envspec.Machine or *Network. While planning it holds stand-ins in place of
	// secrets; the engine hands Apply the one with the values.
	Body any
}

// Network is the body of an environment's network.
type Network struct{}

// State says how a resource is.
type State string

// The states of a resource, as `status` shows them.
const (
	Ready       State = "ready"
	Starting    State = "starting"
	Stopped     State = "stopped"
	Failed      State = "failed"
	Missing     State = "missing"
	Unreachable State = "unreachable"
)

// Incomplete is the Detail of a Failed resource whose creation was cut short, as by a kill: it is not
// mended but made anew.
const Incomplete = "its creation was cut short"

// Observed is one resource as it is.
type Observed struct {
	Addr     addr.Addr
	Identity string
	Mutable  string
	Parts    map[string]string
	State    State
	Detail   string // in words, for anything but ready; "done" for a job that is
	After    []addr.Addr
	Ports    map[string]int // host port by port name
	// Carried are the contents of its mutable files (envspec.File.Mutable) by path, read from the resource as it is
	// now: a label cannot follow an update. Whoever observes leaves Mutable, their hash, to who compares.
	Carried map[string][]byte
	// Manifest, Drifted and Differences are set for a Windows machine; the last two as in guestproto.Observation.
	Manifest    *guestproto.Manifest
	Drifted     map[string]string
	Differences map[string][]guestproto.Difference
	// ByHand is what somebody changed of a container, as far as it can be seen and an update mends it.
	ByHand []guestproto.Difference
	// Handle is the provider's own, for Remove ("container id").
	Handle string
	// Instance says whose it is, where several are listed.
	Instance Instance
	// Meta is what the labels carry besides (a gateway's: its machine's endpoint and credential source).
	Meta map[string]string
}

// Action is what is to be done to one resource.
type Action string

// The actions of a plan.
const (
	Create  Action = "create"
	Update  Action = "update" // nothing of the identity changes: copy mutable files, mend, start, apply layers
	Replace Action = "replace"
	Delete  Action = "delete"
	None    Action = "none"
)

// Change is one operation that the engine asks for. The plan took every decision in it.
type Change struct {
	Action   Action
	Instance Instance
	Node     Node      // Body with values; for a removal only Addr is sure to be there
	Observed *Observed // nil where nothing is there yet
	// BeforeStart, where set, is called by Apply before it starts a container. One that it made does not run yet and holds
	// all that it is to hold; one that it updates may run. An error is Apply's. What is made of layers is not started.
	BeforeStart func(ctx context.Context, o Observed) error
	// Keep is how many layers of a Windows machine stay (its Node.Layers[:Keep]), or KeepUnknown.
	Keep int
}

// KeepUnknown is the Keep of a machine that could not be seen when the plan was made, because what it
// runs on is being started: its manifest decides once it is there.
const KeepUnknown = -1

// Provider makes resources of some kinds true. All methods may be called at once from many
// goroutines, and each returns soon after its context ends: with the context's cause, unless it was done. What it
// reports, returns and leaves to be observed holds no secret of the node's body. Nothing is reported after a method has
// returned. Package providertest holds an implementation to this.
type Provider interface {
	// Name is "docker" or "windows".
	Name() string
	// Prepare does what needs no other resource: pulls or builds the image, hashes nothing. It changes
	// no running thing. Called once a node to be created, replaced or updated, as early as may be.
	Prepare(ctx context.Context, c Change, report event.Sink) error
	// Apply makes the node as desired: creates it, replaces what Observed tells of, or updates it, which keeps
	// its Handle. What was made since it was observed is no error. When Apply fails, nothing half-made is left that
	// a later Observe would take for whole.
	Apply(ctx context.Context, c Change, report event.Sink) error
	// WaitReady returns nil when the node's readiness check passed (at once where it has none and runs), and else
	// an error that holds the check's last output and, of a resource that has a log, its last lines.
	WaitReady(ctx context.Context, c Change, report event.Sink) error
	// Remove takes away what Observed tells of, and what belongs to it alone. What is gone already, or was never
	// there, is no error. What another instance has is left as it is. What is kept on purpose, a named volume or an
	// image, goes another way.
	Remove(ctx context.Context, c Change, report event.Sink) error
}

// LogOptions narrows Logs.
type LogOptions struct {
	Follow     bool
	Since      time.Time
	Tail       int // lines; 0 is all
	Timestamps bool
}

// Logger is a Provider whose resources have a log.
type Logger interface {
	// Logs writes what the resource said, each line to the stream that it was said to. With Follow it goes on until the
	// resource ends, which is no error, or ctx does.
	Logs(ctx context.Context, o Observed, opts LogOptions, stdout, stderr io.Writer) error
}

// ExecOptions is one command run inside a resource.
type ExecOptions struct {
	Command        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	TTY            bool
	Resized        <-chan os.Signal // with TTY: the size of the terminal that Stdout is has changed; may be nil
	User           string
	WorkingDir     string
	Env            []string
}

// Execer is a Provider that runs commands inside its resources.
type Execer interface {
	// Exec returns when the command has ended, whether or not Stdin has, or soon after ctx did. The exit code is the
	// command's own; it means nothing beside an error.
	Exec(ctx context.Context, o Observed, opts ExecOptions) (exitCode int, err error)
}

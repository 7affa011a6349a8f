// Package providertest holds an implementation of providers.Provider to the contract: what the comments in
// package providers promise, said as tests. It knows no provider; a provider's own test hands it one in a World,
// with nodes to try it on.
package providertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/envctl/envctl/providers"
)

// What nodes say and hold, so that the suite knows it again.
const (
	// Secret is a secret that every node's body holds. A node says it wherever it says something: in its check's
	// output, in its log, in what makes it fail.
	Secret = "pl4nted-S3cret"
	// CheckSays is what a failing check prints.
	CheckSays = "the check is not content"
	// LogSays is the last line that a node writes to its log's stderr. The lines of its stdout are Lines.
	LogSays = "the last words"
)

// Lines is what a node writes to its log's stdout, a line each.
func Lines() []string { return []string{"first line", "second line", "third line"} }

// Suite is what a provider's test fills in.
type Suite struct {
	// World makes a place for one subtest and clears it away when t ends.
	World func(t *testing.T) *World
	// Soon is how long after its context's end a method may take to return; 0 is 10 s. It is to be generous: what goes on
	// until it is done takes minutes in the nodes that are slow.
	Soon time.Duration
	// Only names the subtests that are run, where a world costs too much for all.
	Only []string
	// Without names those that are not, because what they are about is nothing that the provider's resources have.
	Without []string
}

// World is a provider and two instances of which no node is there yet.
type World struct {
	Provider           providers.Provider
	Instance, Stranger providers.Instance
	// Single says that one resource alone can be there, as a machine's stack is. Names then make no difference, it is
	// never replaced, and an instance cannot have what another has.
	Single bool
	// Observe tells how an instance is as the command line sees it: with Mutable filled in from Carried.
	Observe func(ctx context.Context, i providers.Instance) ([]providers.Observed, error)
	// Left lists all that nodes of an instance brought, found by other means than Observe, with what anybody can read of
	// it: its name, its labels, its command line. Not what is kept on purpose, such as images.
	Left func(ctx context.Context, i providers.Instance) ([]string, error)
	// Wrote gives what the provider wrote to its own log; nil where it has none.
	Wrote func() string
	Nodes
	Commands
}

// Nodes give resources to try a provider on, each with a body of its own. One that is nil leaves out what needs it; Plain,
// NeverReady and Broken have to be there.
type Nodes struct {
	// Plain comes up, writes to its log where it has one, is ready once it has written, and stays. Another version is
	// another identity.
	Plain func(name string, version int) providers.Node
	// Costly is Plain with something for Prepare to do: an image to build, a file to fetch.
	Costly func(name string) providers.Node
	// Carrying is Plain whose versions differ in what can change without replacing.
	Carrying func(name string, version int) providers.Node
	// NeverReady comes up and writes to its log; its check fails, and is given up after patience.
	NeverReady func(name string, patience time.Duration) providers.Node
	// Dies writes to its log and ends by itself before it is ready.
	Dies func(name string) providers.Node
	// Broken cannot be applied.
	Broken func(name string) providers.Node
	// SlowPrepare, SlowApply and SlowRemove are nodes with which that takes minutes. Where there is no SlowApply,
	// BeforeStart does, and has to be heeded.
	SlowPrepare, SlowApply, SlowRemove func(name string) providers.Node
}

// Commands are what an Execer runs in a Plain node. Those left out leave out what needs them.
type Commands struct {
	// Exit ends with a code.
	Exit func(code int) []string
	// Codes are exit codes that have to come through.
	Codes []int
	// Say writes a line to stdout and one to stderr.
	Say func(stdout, stderr string) []string
	// Env prints a variable.
	Env func(name string) []string
	// Where prints the folder it runs in, and Folder is one that is there.
	Where  []string
	Folder string
	// Cat copies its stdin to its stdout, by lines.
	Cat []string
	// Hang runs for minutes.
	Hang []string
}

// Run holds a provider to the contract, with a subtest and a World for each of its promises.
func Run(t *testing.T, s Suite) {
	if s.Soon == 0 {
		s.Soon = 10 * time.Second
	}
	all := promises()
	for _, name := range slices.Concat(s.Only, s.Without) {
		if !slices.ContainsFunc(all, func(p promise) bool { return p.name == name }) {
			t.Errorf("there is no subtest %q", name)
		}
	}
	for _, promise := range all {
		if len(s.Only) > 0 && !slices.Contains(s.Only, promise.name) || slices.Contains(s.Without, promise.name) {
			continue
		}
		t.Run(promise.name, func(t *testing.T) {
			promise.held(&trial{T: t, World: s.World(t), soon: s.Soon})
		})
	}
}

type promise struct {
	name string
	held func(*trial)
}

func promises() []promise {
	return []promise{
		{"Prepare changes nothing that runs", prepareChangesNothing},
		{"Prepare may be called at once", prepareAtOnce},
		{"Apply makes what Observe finds", applyIsObserved},
		{"Apply again is no error", applyAgain},
		{"Apply updates in place", applyUpdates},
		{"Apply replaces", applyReplaces},
		{"Apply that fails leaves nothing whole", applyFails},
		{"Apply that is cut short leaves nothing whole", applyCutShort},
		{"Apply calls BeforeStart", applyCallsBeforeStart},
		{"All methods may be called at once", allAtOnce},
		{"WaitReady tells of the check and the last words", waitNeverReady},
		{"WaitReady tells of an early end", waitDies},
		{"Remove takes all away", removeAll},
		{"Remove spares other instances", removeSparesOthers},
		{"An ended context ends Prepare", endsPrepare},
		{"An ended context ends Apply", endsApply},
		{"An ended context ends WaitReady", endsWaitReady},
		{"An ended context ends Remove", endsRemove},
		{"A context that has ended is heeded", endedBefore},
		{"Secrets stay hidden", secretsStayHidden},
		{"Logs are what was said", logsAreSaid},
		{"Logs follow until the context ends", logsFollowContext},
		{"Logs follow until the resource goes", logsFollowResource},
		{"Exec passes on output and exit codes", execPasses},
		{"Exec passes on stdin", execStdin},
		{"Exec ends with its context", execEnds},
	}
}

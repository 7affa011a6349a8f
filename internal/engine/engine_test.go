package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/engine"
	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a provider that records what it is asked, and whose steps a test can hold or fail. What is
// tested here is order and outcome; the real providers have tests of their own.
type world struct {
	mu     sync.Mutex
	calls  []string
	on     map[string]func(context.Context) error
	events []event.Event
}

func (w *world) Name() string { return "world" }

func (w *world) call(ctx context.Context, what string, c providers.Change) error {
	name := what + " " + c.Node.Addr.Name
	err := error(nil)
	if f := w.on[name]; f != nil {
		err = f(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, name)
	return err
}

func (w *world) Prepare(ctx context.Context, c providers.Change, _ event.Sink) error {
	return w.call(ctx, "prepare", c)
}

func (w *world) Apply(ctx context.Context, c providers.Change, _ event.Sink) error {
	if c.Node.Body != "values of "+c.Node.Addr.Name {
		return fmt.Errorf("the body is %v", c.Node.Body)
	}
	return w.call(ctx, "apply", c)
}

func (w *world) WaitReady(ctx context.Context, c providers.Change, _ event.Sink) error {
	return w.call(ctx, "ready", c)
}

func (w *world) Remove(ctx context.Context, c providers.Change, _ event.Sink) error {
	return w.call(ctx, "remove", c)
}

func (w *world) run(now, stop context.Context, p *plan.Plan) error {
	e := engine.Engine{
		Providers: map[addr.Kind]providers.Provider{addr.Container: w},
		Bodies:    func(a addr.Addr) any { return "values of " + a.Name },
		Sink: func(e event.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	return e.Run(now, stop, p)
}

func (w *world) saw(t event.Type) (names []string) {
	for _, e := range w.events {
		if e.Type == t {
			names = append(names, e.Address.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *world) before(t *testing.T, first, second string) {
	t.Helper()
	i, j := slices.Index(w.calls, first), slices.Index(w.calls, second)
	if i < 0 || j < 0 || i > j {
		t.Errorf("%q should come before %q in %q", first, second, w.calls)
	}
}

func container(name string) addr.Addr { return addr.Addr{Kind: addr.Container, Name: name} }

// create plans containers that are not there yet: "web:db,cache" waits for db and cache.
func create(t *testing.T, specs ...string) *plan.Plan {
	t.Helper()
	var nodes []providers.Node
	for _, s := range specs {
		name, after, _ := strings.Cut(s, ":")
		n := providers.Node{Addr: container(name), Identity: "1"}
		for a := range strings.SplitSeq(after, ",") {
			if a != "" {
				n.After = append(n.After, container(a))
			}
		}
		nodes = append(nodes, n)
	}
	p, err := plan.Make(nodes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDependentsWaitForReadinessAndImagesDoNot(t *testing.T) {
	imageOfWebBuilt := make(chan struct{})
	w := &world{}
	w.on = map[string]func(context.Context) error{
		"prepare web": func(context.Context) error { close(imageOfWebBuilt); return nil },
		// db is not ready before web's image is built: were the build to wait for db, this would hang.
		"ready db": func(ctx context.Context) error {
			select {
			case <-imageOfWebBuilt:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	if err := w.run(t.Context(), t.Context(), create(t, "web:db", "db")); err != nil {
		t.Fatal(err)
	}
	w.before(t, "ready db", "apply web")
	w.before(t, "prepare web", "ready db")
}

func TestFailureSkipsDependentsAndNothingElse(t *testing.T) {
	boom := errors.New("boom")
	w := &world{on: map[string]func(context.Context) error{"apply db": func(context.Context) error { return boom }}}
	err := w.run(t.Context(), t.Context(), create(t, "web:db", "page:web", "db", "mail"))
	var failed *engine.Error
	if !errors.As(err, &failed) || failed.Addr != container("db") || !errors.Is(err, boom) {
		t.Errorf("error is %v", err)
	}
	if got := w.saw(event.Skipped); !slices.Equal(got, []string{"page", "web"}) {
		t.Errorf("skipped %q", got)
	}
	if got := w.saw(event.Done); !slices.Equal(got, []string{"mail"}) {
		t.Errorf("done %q", got)
	}
}

func TestPreparationOfWhatIsSkippedIsGivenUp(t *testing.T) {
	w := &world{on: map[string]func(context.Context) error{
		"apply db":    func(context.Context) error { return errors.New("boom") },
		"prepare web": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, // would take for ever
	}}
	if err := w.run(t.Context(), t.Context(), create(t, "web:db", "db")); err == nil {
		t.Error("no error")
	}
	if got := w.saw(event.Skipped); !slices.Equal(got, []string{"web"}) {
		t.Errorf("skipped %q", got)
	}
}

func TestInterruptFinishesWhatChangesAndStartsNothing(t *testing.T) {
	interrupted := errors.New("interrupted")
	stop, cancel := context.WithCancelCause(t.Context())
	applied := false
	w := &world{}
	w.on = map[string]func(context.Context) error{
		"apply db": func(ctx context.Context) error {
			cancel(interrupted)
			applied = ctx.Err() == nil // a first Ctrl-C leaves it alone
			return ctx.Err()
		},
	}
	err := w.run(t.Context(), stop, create(t, "web:db", "db"))
	if !errors.Is(err, interrupted) {
		t.Errorf("error is %v", err)
	}
	if !applied {
		t.Error("the application of db was cut off")
	}
	if got := w.saw(event.Skipped); !slices.Equal(got, []string{"web"}) {
		t.Errorf("not started: %q", got)
	}
	if slices.Contains(w.calls, "apply web") || slices.Contains(w.calls, "ready db") {
		t.Errorf("started after the interrupt: %q", w.calls)
	}
}

func TestSecondInterruptCutsOff(t *testing.T) {
	now, cancelNow := context.WithCancel(t.Context())
	stop, cancelStop := context.WithCancel(now)
	w := &world{}
	w.on = map[string]func(context.Context) error{
		"apply db": func(ctx context.Context) error {
			cancelStop()
			cancelNow()
			<-ctx.Done()
			return ctx.Err()
		},
	}
	if err := w.run(now, stop, create(t, "db")); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// What something that could not be removed still needs stays: a gateway holds the record of its machine.
func TestRemovalStopsAtWhatCouldNotBeRemoved(t *testing.T) {
	w := &world{on: map[string]func(context.Context) error{"remove web": func(context.Context) error { return errors.New("stuck") }}}
	p := plan.Destroy([]providers.Observed{
		{Addr: container("db")}, {Addr: container("mail")}, {Addr: container("web"), After: []addr.Addr{container("db")}},
	})
	if err := w.run(t.Context(), t.Context(), p); err == nil || !strings.Contains(err.Error(), "container.web: stuck") {
		t.Errorf("error is %v", err)
	}
	if slices.Contains(w.calls, "remove db") || !slices.Contains(w.calls, "remove mail") {
		t.Errorf("calls are %q", w.calls)
	}
}

package relay

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// Options is what a gateway runs with.
type Options struct {
	Config  string // gateway.json; "" is ConfigPath
	Wires   string // wires.json; "" is WiresPath
	Control string // where status is asked for; "" is ControlPath
	Connect Connect
	Log     *slog.Logger

	timing timing
}

// Run is the gateway: it returns when ctx ends, within a second, or at once when gateway.json cannot be
// read or the control socket is taken. A machine that cannot be reached is no reason to return, nor is a
// wires.json that is not there yet.
func Run(ctx context.Context, o Options) error {
	if o.timing == (timing{}) {
		o.timing = defaults()
	}
	m, err := loadMachine(o.Config)
	if err != nil {
		return err
	}
	control, err := net.Listen("unix", o.Control)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	g := &gateway{o: o, machine: m, wires: map[any]*running{}, keeper: newKeeper(o.Connect, m, o.Log, o.timing)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.reload(ctx)
	o.Log.Info("gateway started", "machine", m.Addr, "address", m.Address, "port", m.Port)
	var wg sync.WaitGroup
	wg.Go(func() { g.keeper.run(ctx) })
	wg.Go(func() { g.watch(ctx) })
	wg.Go(func() { err = g.serveControl(ctx, control); cancel() })
	wg.Wait()
	g.stop()
	o.Log.Info("gateway stopped")
	return err
}

type gateway struct {
	o       Options
	machine Machine
	keeper  *keeper

	mu        sync.Mutex
	read      []byte // wires.json as it was taken or refused last
	readErr   error  // why it was refused
	configErr error  // why wires.json as it is now is not what is carried
	order     []any
	wires     map[any]*running // by Forward or Reverse: what is written alike is the same wire
}

type running struct {
	wire   wire
	cancel context.CancelFunc
	done   chan struct{}
}

// watch takes each change of wires.json. A change is seen by content: a copy into a container may keep the time.
func (g *gateway) watch(ctx context.Context) {
	tick := time.NewTicker(g.o.timing.poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.reload(ctx)
		}
	}
}

// reload takes wires.json as it is now. Wires that it still names are not touched; when it cannot be read or is
// wrong, none is.
func (g *gateway) reload(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	data, err := os.ReadFile(g.o.Wires)
	if err != nil {
		// It may be about to be written, or be between removal and replacement.
		g.configErr = fmt.Errorf("wires: %w", err)
		return
	}
	if g.read != nil && bytes.Equal(data, g.read) {
		g.configErr = g.readErr
		return
	}
	w, err := ParseWires(data)
	g.read, g.readErr, g.configErr = data, err, err
	if err != nil {
		g.o.Log.Warn("wires not taken", "reason", err)
		return
	}
	g.take(ctx, w)
}

func (g *gateway) take(ctx context.Context, w Wires) {
	var order []any
	wanted := map[any]bool{}
	for _, f := range w.Forwards {
		order, wanted[f] = append(order, f), true
	}
	for _, r := range w.Reverse {
		order, wanted[r] = append(order, r), true
	}
	// What goes leaves its ports before what comes takes them.
	var ended, begun int
	for key, r := range g.wires {
		if !wanted[key] {
			r.cancel()
		}
	}
	for key, r := range g.wires {
		if !wanted[key] {
			<-r.done
			delete(g.wires, key)
			ended++
		}
	}
	for _, key := range order {
		if g.wires[key] == nil {
			g.start(ctx, key)
			begun++
		}
	}
	g.order = order
	g.o.Log.Info("wires", "forward", len(w.Forwards), "reverse", len(w.Reverse), "new", begun, "ended", ended)
}

func (g *gateway) start(ctx context.Context, key any) {
	var w wire
	switch spec := key.(type) {
	case Forward:
		f := &forwarder{spec: spec, keeper: g.keeper, log: g.o.Log, timing: g.o.timing}
		f.first, _ = f.listen() // run tries on, and shows why not
		w = f
	case Reverse:
		w = &reverser{spec: spec, keeper: g.keeper, log: g.o.Log, timing: g.o.timing}
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &running{wire: w, cancel: cancel, done: make(chan struct{})}
	g.wires[key] = r
	go func() {
		defer close(r.done)
		w.run(ctx)
	}()
}

func (g *gateway) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.wires {
		r.cancel()
	}
	for _, r := range g.wires {
		<-r.done
	}
}

func (g *gateway) status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Status{Machine: g.machine.Addr.String(), Link: g.keeper.linkStatus(), Wires: []WireStatus{}}
	if g.configErr != nil {
		s.ConfigError = g.configErr.Error()
	}
	for _, key := range g.order {
		s.Wires = append(s.Wires, g.wires[key].wire.status(s.Link))
	}
	return s
}

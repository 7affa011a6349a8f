package sandbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Limits are the quotas of a WinRM service; a zero field takes Windows' default.
type Limits struct {
	Envelope         int           // bytes of a request: 500 KB
	Shells           int           // MaxShellsPerUser: 30
	CommandsPerShell int           // MaxProcessesPerShell: 25
	Operations       int           // MaxConcurrentOperationsPerUser: 1500
	IdleTimeout      time.Duration // of a shell that names none: 2 hours
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.Envelope, 500<<10)
	set(&l.Shells, 30)
	set(&l.CommandsPerShell, 25)
	set(&l.Operations, 1500)
	if l.IdleTimeout == 0 {
		l.IdleTimeout = idleDefault
	}
	return l
}

// Options make a Server.
type Options struct {
	// User and Password are the one account. The user's name is compared without case.
	User, Password string
	// AllowUnencrypted accepts Basic and unsealed SOAP over plain HTTP.
	AllowUnencrypted bool
	// Machine is the name that faults and NTLM challenges carry.
	Machine string
	// Starter runs the commands.
	Starter Starter
	Limits  Limits
	// Log takes what happened, never a secret. Nil is silence.
	Log *slog.Logger
}

// Server is a WS-Management service for the cmd shell ([MS-WSMV]).
type Server struct {
	opt    Options
	limits Limits
	log    *slog.Logger
	Shape  Shape // latency and bandwidth, which may change while it serves

	mu     sync.Mutex
	shells map[string]*shell
	ops    int // requests in progress
}

// NewServer makes a Server; Handler serves it.
func NewServer(opt Options) (*Server, error) {
	if opt.User == "" || opt.Password == "" {
		return nil, errors.New("the sandbox needs a user and a password that is not empty")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Machine == "" {
		opt.Machine = "SANDBOX"
	}
	return &Server{opt: opt, limits: opt.Limits.withDefaults(), log: opt.Log, shells: map[string]*shell{}}, nil
}

// CloseShells ends every shell with all that runs in it, as a reboot does.
func (s *Server) CloseShells() {
	s.mu.Lock()
	shells := s.shells
	s.shells = map[string]*shell{}
	s.mu.Unlock()
	for _, sh := range shells {
		sh.close()
	}
}

// answerTo carries out one envelope. The status is HTTP's.
func (s *Server) answerTo(ctx context.Context, data []byte, user, client string) (body []byte, status int) {
	r, err := parseRequest(data)
	if err == nil {
		r.user, r.client = user, client
		body, err = s.dispatch(ctx, r)
	}
	if err == nil {
		return body, 200
	}
	var f *fault
	if !errors.As(err, &f) {
		f = faultInternal(err)
	}
	if f.code != CodeOperationTimeout {
		action := ""
		if r != nil {
			action = r.action
		}
		s.log.Info("fault", "action", action, "code", f.code, "reason", f.reason)
	}
	return f.envelope(r, s.opt.Machine), f.httpStatus()
}

func (s *Server) dispatch(ctx context.Context, r *request) ([]byte, error) {
	if r.identify {
		return identifyAnswer(r.user != ""), nil
	}
	if r.resource == resourceConfig {
		return s.configAnswer(r)
	}
	if r.resource != resourceCmd {
		return nil, faultResource(r.resource)
	}
	if err := s.enter(r.action); err != nil {
		return nil, err
	}
	defer s.leave()
	if r.action == actionCreate {
		return s.create(r)
	}
	id := r.selectors["ShellId"]
	sh := s.shell(id)
	if sh == nil || !sh.enter() {
		return nil, faultNotFound("ShellId", id)
	}
	defer sh.leave(func() {
		s.log.Info("shell expired", "shell", sh.id, "idle", sh.idle)
		s.remove(sh)
	})
	switch r.action {
	case actionDelete:
		s.remove(sh)
		return answer(r, actionDelete+"Response", prefixDelete, ""), nil
	case actionCommand:
		c, err := sh.start(ctx, r, s.opt.Starter, s.limits)
		if err != nil {
			return nil, err
		}
		return answer(r, actionCommand+"Response", prefixTransfer, `<rsp:CommandResponse><rsp:CommandId>`+c.id+`</rsp:CommandId></rsp:CommandResponse>`), nil
	}
	return s.inCommand(ctx, r, sh)
}

// inCommand carries out what is addressed to one command.
func (s *Server) inCommand(ctx context.Context, r *request, sh *shell) ([]byte, error) {
	switch r.action {
	case actionSend:
		c, err := sh.command(r.body.child(nsShell, "Send").child(nsShell, "Stream").attr("CommandId"))
		if err != nil {
			return nil, err
		}
		return c.send(r)
	case actionReceive:
		c, err := sh.command(r.body.child(nsShell, "Receive").child(nsShell, "DesiredStream").attr("CommandId"))
		if err != nil {
			return nil, err
		}
		limit := s.limits.Envelope
		if r.maxEnvelope > 0 {
			limit = min(limit, r.maxEnvelope)
		}
		return c.receive(ctx, r, limit)
	case actionSignal:
		c, err := sh.command(r.body.child(nsShell, "Signal").attr("CommandId"))
		if err != nil {
			return nil, err
		}
		over, err := c.signal(r)
		if err != nil {
			return nil, err
		}
		if over {
			sh.forget(c)
		}
		return answer(r, actionSignal+"Response", prefixTransfer, `<rsp:SignalResponse/>`), nil
	}
	return nil, faultAction(r.action)
}

func (s *Server) create(r *request) ([]byte, error) {
	sh, err := newShell(r, s.limits)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	full := len(s.shells) >= s.limits.Shells
	if !full {
		s.shells[sh.id] = sh
	}
	s.mu.Unlock()
	if full {
		return nil, faultTooManyShells(s.limits.Shells)
	}
	sh.enter()
	defer sh.leave(func() { s.remove(sh) })
	return sh.createdAnswer(r), nil
}

func (s *Server) shell(id string) *shell {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shells[id]
}

func (s *Server) remove(sh *shell) {
	s.mu.Lock()
	delete(s.shells, sh.id)
	s.mu.Unlock()
	sh.close()
}

// enter counts an operation. Starting a command asks more: the operations of every command of the
// shells that still exist are counted too, since a Terminate does not give them back.
func (s *Server) enter(action string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.ops
	if action == actionCommand {
		for _, sh := range s.shells {
			n += sh.operations()
		}
	}
	if n >= s.limits.Operations {
		return faultTooManyOps(s.limits.Operations)
	}
	s.ops++
	return nil
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops--
}

package winrm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/masterzen/winrm/soap"
)

// DefaultIdleTimeout is how long a shell lives that nobody polls: long enough for a laptop's nap,
// short enough that a lost shell does not use up the user's quota for ever.
const DefaultIdleTimeout = 2 * time.Hour

const utf8CodePage = 65001

// ShellOptions says how commands run; the zero value is good for most.
type ShellOptions struct {
	WorkingDir  string
	Env         map[string]string
	IdleTimeout time.Duration // 0 means DefaultIdleTimeout
	CodePage    int           // 0 means 65001, UTF-8
	NoProfile   bool          // do not load the user's profile
}

// Shell is a place on the machine where commands run. It belongs to the user, whose quota it counts
// against until Close.
type Shell struct {
	client *Client
	id     string

	mu       sync.Mutex
	closed   bool
	commands map[*Command]struct{}
}

// Shell makes a shell ([MS-WSMV] 3.1.4.5: Create).
func (c *Client) Shell(ctx context.Context, opts ShellOptions) (*Shell, error) {
	a, err := c.create(ctx, opts)
	if errors.Is(err, ErrEnvelopeTooLarge) && c.answers.CompareAndSwap(largeEnvelope, smallEnvelope) {
		a, err = c.create(ctx, opts)
	}
	if err != nil {
		return nil, err
	}
	if a.shellID == "" {
		return nil, fmt.Errorf("create: %w: it names no shell", ErrBadAnswer)
	}
	return &Shell{client: c, id: a.shellID, commands: map[*Command]struct{}{}}, nil
}

func (c *Client) create(ctx context.Context, opts ShellOptions) (*answer, error) {
	codePage := opts.CodePage
	if codePage == 0 {
		codePage = utf8CodePage
	}
	noProfile := "FALSE"
	if opts.NoProfile {
		noProfile = "TRUE"
	}
	o := c.options(actionCreate, resourceCmd, "")
	o.options = [][2]string{{"WINRS_NOPROFILE", noProfile}, {"WINRS_CODEPAGE", strconv.Itoa(codePage)}}
	r := newRequest(o)
	shell := r.body("Shell")
	r.child(shell, "InputStreams", "stdin")
	r.child(shell, "OutputStreams", "stdout stderr")
	if opts.WorkingDir != "" {
		r.child(shell, "WorkingDirectory", opts.WorkingDir)
	}
	r.child(shell, "IdleTimeOut", duration(orElse(opts.IdleTimeout, DefaultIdleTimeout)))
	if len(opts.Env) > 0 {
		env := r.message.CreateElement(shell, "Environment", soap.DOM_NS_WIN_SHELL)
		for _, name := range slices.Sorted(maps.Keys(opts.Env)) {
			r.child(env, "Variable", opts.Env[name]).SetAttr("Name", escape(name))
		}
	}
	return c.call(ctx, r.action, r.bytes(), c.cfg.OperationTimeout)
}

// ID is the machine's name for the shell.
func (s *Shell) ID() string { return s.id }

func (s *Shell) add(c *Command) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.commands[c] = struct{}{}
	}
	return !s.closed
}

func (s *Shell) remove(c *Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.commands, c)
}

// errShellClosed ends the commands of a shell that is being deleted, which ends them on the machine.
var errShellClosed = errors.New("winrm: the shell was closed")

// Close ends the shell's commands and deletes it, even when ctx has ended, within
// Config.CleanupTimeout. A shell that is gone already is as good as deleted.
func (s *Shell) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	commands := slices.Collect(maps.Keys(s.commands))
	s.mu.Unlock()
	for _, c := range commands {
		c.cancel(errShellClosed)
	}
	for _, c := range commands {
		<-c.cleaned
	}
	limit := s.client.cfg.CleanupTimeout
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	o := s.client.options(actionDelete, resourceCmd, s.id)
	o.timeout = limit
	r := newRequest(o)
	r.message.NewBody()
	_, err := s.client.call(ctx, r.action, r.bytes(), limit)
	if errors.Is(err, ErrShellNotFound) {
		return nil
	}
	return err
}

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// PortTakenError says that a port that a container was to publish is held by something else.
type PortTakenError struct {
	Port int
	// Engine is the engine's address where it is on another computer, whose port it is; "" is this one.
	Engine string
	err    error
}

func (e *PortTakenError) Error() string {
	whose := "this computer"
	if e.Engine != "" {
		whose = "the engine's computer (" + e.Engine + ")"
	}
	return fmt.Sprintf("port %d of %s is taken; free it or choose another with `host`: %v", e.Port, whose, e.err)
}

// Unwrap gives the engine's own error.
func (e *PortTakenError) Unwrap() error { return e.err }

// ErrNoEngine is wrapped by every error that comes of no engine answering.
var ErrNoEngine = errors.New("no Docker engine answers")

// explain turns the client's error into one that says what to do. Nil stays nil.
func (p *Provider) explain(err error) error {
	if cut, ok := errors.AsType[*endedError](err); ok && !errors.Is(cut.kind, cut.cause) {
		return cut.cause
	}
	if err == nil || errors.Is(err, ErrNoEngine) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	text := err.Error()
	where := fmt.Sprintf("%s (from %s)", p.Host(), p.endpoint.from)
	if ssh, ok := errors.AsType[*sshError](err); ok && !ssh.after {
		return fmt.Errorf("%w at %s: %w; %s", ErrNoEngine, where, ssh, howToStart(p.endpoint.host, runtime.GOOS))
	}
	if trouble := p.endpoint.tls.trouble(err); trouble != "" && strings.HasPrefix(p.endpoint.host, "tcp:") {
		return fmt.Errorf("%w at %s: %s (%s)", ErrNoEngine, where, trouble, text)
	}
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EACCES) || strings.Contains(text, "permission denied while trying to connect"):
		return fmt.Errorf("%w at %s: you may not use its socket; add yourself to the docker group, or set DOCKER_HOST to an engine of your own", ErrNoEngine, where)
	case diskFull.MatchString(text):
		return fmt.Errorf("%w\nthe disk of the Docker engine at %s is full: see with `docker system df` what fills it, make room with `docker system prune` or `docker builder prune` (or give the engine's machine a larger disk), and run the command again", err, p.Host())
	case (ended || engineStops.MatchString(text)) && p.answered(): // else something stands there that is none, or not yet
		return fmt.Errorf("the Docker engine at %s went away in the middle of it (%w): start it again if it does not come back by itself, and run the command again, which goes on from what is there", p.Host(), err)
	case client.IsErrConnectionFailed(err) || isDialError(err) || ended:
		return fmt.Errorf("%w at %s: %s, or name another engine with DOCKER_HOST or `docker context use`", ErrNoEngine, where, howToStart(p.endpoint.host, runtime.GOOS))
	}
	return err
}

// engineStops is what of an engine's end reaches its clients, beside their own errors.
var engineStops = lazyregexp.New(`(?:EOF|transport is closing: unavailable)(?:\n|$)`)

// diskFull is what engines, and the programs of a build, say of a disk that is full.
var diskFull = lazyregexp.New(`(?i)no space left on device|disk quota exceeded|not enough space on the disk`)

func isDialError(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" && (op.Net == "unix" || op.Net == "npipe")
}

var (
	portTaken  = lazyregexp.New(`(?i)port is already allocated|address already in use|ports are not available|access a socket in a way forbidden`)
	portNumber = lazyregexp.New(`:(\d+)(?:/\w+)?(?:\s|:|$)`)
)

// asPortTaken gives a *PortTakenError for the ways in which engines say that a port is taken, and any
// other error as it is.
func (p *Provider) asPortTaken(ctx context.Context, err error) error {
	if err == nil || !portTaken.MatchString(err.Error()) {
		return err
	}
	m := portNumber.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	taken := &PortTakenError{err: err}
	taken.Port, _ = strconv.Atoi(m[1])
	if remote, err := p.Remote(ctx); err == nil && remote {
		taken.Engine = p.Host()
	}
	return taken
}

// statusOf gives the HTTP status that an engine's error stands for, or 0.
func statusOf(err error) int {
	switch {
	case errdefs.IsNotFound(err):
		return http.StatusNotFound
	case errdefs.IsConflict(err):
		return http.StatusConflict
	case errdefs.IsNotModified(err):
		return http.StatusNotModified
	}
	return 0
}

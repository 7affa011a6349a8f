package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// PortTakenError says that a port of the host that a container was to publish is held by something else.
type PortTakenError struct {
	Port int
	err  error
}

func (e *PortTakenError) Error() string {
	return fmt.Sprintf("port %d of this computer is taken; free it or choose another with `host`: %v", e.Port, e.err)
}

// Unwrap gives the engine's own error.
func (e *PortTakenError) Unwrap() error { return e.err }

// ErrNoEngine is wrapped by every error that comes of no engine answering.
var ErrNoEngine = errors.New("no Docker engine answers")

// explain turns the client's error into one that says what to do. Nil stays nil.
func (p *Provider) explain(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrNoEngine):
		return err
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "permission denied while trying to connect"):
		return fmt.Errorf("%w at %s (from %s): you may not use its socket; add yourself to the docker group, or set DOCKER_HOST to an engine of your own",
			ErrNoEngine, p.endpoint.host, p.endpoint.from)
	case diskFull.MatchString(err.Error()):
		return fmt.Errorf("%w\nthe disk of the Docker engine at %s is full: see with `docker system df` what fills it, make room with `docker system prune` or `docker builder prune` (or give the engine's machine a larger disk), and run the command again", err, p.endpoint.host)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || engineStops.MatchString(err.Error()):
		return fmt.Errorf("the Docker engine at %s went away in the middle of it (%w): start it again if it does not come back by itself, and run the command again, which goes on from what is there", p.endpoint.host, err)
	case client.IsErrConnectionFailed(err) || isDialError(err):
		return fmt.Errorf("%w at %s (from %s): start Docker (Docker Desktop, OrbStack, Colima, or `systemctl start docker`), or name another engine with DOCKER_HOST or `docker context use`",
			ErrNoEngine, p.endpoint.host, p.endpoint.from)
	}
	return err
}

// engineStops is what of an engine's end reaches its clients, beside their own errors.
var engineStops = regexp.MustCompile(`(?:EOF|transport is closing: unavailable)(?:\n|$)`)

// diskFull is what engines, and the programs of a build, say of a disk that is full.
var diskFull = regexp.MustCompile(`(?i)no space left on device|disk quota exceeded|not enough space on the disk`)

func isDialError(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" && (op.Net == "unix" || op.Net == "npipe")
}

var (
	portTaken  = regexp.MustCompile(`(?i)port is already allocated|address already in use|ports are not available|access a socket in a way forbidden`)
	portNumber = regexp.MustCompile(`:(\d+)(?:/\w+)?(?:\s|:|$)`)
)

// asPortTaken gives a *PortTakenError for the ways in which engines say that a port is taken, and any
// other error as it is.
func asPortTaken(err error) error {
	if err == nil || !portTaken.MatchString(err.Error()) {
		return err
	}
	m := portNumber.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	port, _ := strconv.Atoi(m[1])
	return &PortTakenError{Port: port, err: err}
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

// Package probe tells how far a TCP connection gets, from wherever it runs: on the host, or as a role of envctl-node
// in the network of a container that may have no shell of its own.
package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Target is one address to connect to.
type Target struct {
	Address string `json:"address"` // host:port
	// Hold is how long a connection has to stay open, or until the other end says something, to count. It is for
	// what stands in front of the target and accepts before it knows whether the target does.
	Hold time.Duration `json:"hold,omitempty"`
}

// Reach is how far a connection got.
type Reach string

// From all the way to not even a name.
const (
	Open    Reach = "open"
	Closed  Reach = "closed"  // accepted, and ended before Hold was over
	Refused Reach = "refused" // the computer is there and nothing listens
	Silent  Reach = "silent"  // nobody answers
	NoName  Reach = "no name" // the name leads nowhere
)

// Result says how a target was reached.
type Result struct {
	Reach Reach  `json:"reach"`
	Error string `json:"error,omitempty"`
}

// patience is how long one connection may take to open.
const patience = 3 * time.Second

// All connects to all targets at once and gives a result for each, in their order.
func All(ctx context.Context, targets []Target) []Result {
	results := make([]Result, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			reach, err := connect(ctx, t)
			results[i].Reach = reach
			if err != nil {
				results[i].Error = err.Error()
			}
		})
	}
	wg.Wait()
	return results
}

func connect(ctx context.Context, t Target) (Reach, error) {
	dialing, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(dialing, "tcp", t.Address)
	if err != nil {
		_, noName := errors.AsType[*net.DNSError](err)
		switch {
		case noName:
			return NoName, err
		case errors.Is(err, syscall.ECONNREFUSED):
			return Refused, err
		}
		return Silent, err
	}
	defer conn.Close()
	if t.Hold == 0 {
		return Open, nil
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetReadDeadline(time.Now().Add(t.Hold)); err != nil {
		return Closed, err
	}
	switch n, err := conn.Read(make([]byte, 1)); {
	case n > 0 || errors.Is(err, os.ErrDeadlineExceeded):
		return Open, nil
	default:
		return Closed, err
	}
}

// Command is what envctl-node is run with to print the results for targets.
func Command(targets []Target) ([]string, error) {
	text, err := json.Marshal(targets)
	return []string{"probe", string(text)}, err
}

// Main is the role of envctl-node: it prints the results for the targets that Command wrote down.
func Main(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: envctl-node probe TARGETS")
	}
	var targets []Target
	if err := json.Unmarshal([]byte(args[0]), &targets); err != nil {
		return fmt.Errorf("the targets: %w", err)
	}
	return json.NewEncoder(stdout).Encode(All(ctx, targets))
}

// Parse reads what Main printed for n targets.
func Parse(out []byte, n int) ([]Result, error) {
	var results []Result
	if err := json.Unmarshal(out, &results); err != nil {
		return nil, fmt.Errorf("the probe's answer: %w", err)
	}
	if len(results) != n {
		return nil, fmt.Errorf("the probe answered for %d of %d targets", len(results), n)
	}
	return results, nil
}

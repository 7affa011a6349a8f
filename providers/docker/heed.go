package docker

import (
	"context"
	"net/http"
	"time"

	"github.com/docker/docker/client"
)

// newClient gives a client whose requests say why, when they fail because their context ended. The client itself knows
// context.Canceled alone, and takes an end with another cause for an engine that cannot be reached.
func newClient(transport *http.Transport, options ...client.Opt) (*client.Client, error) {
	transport.MaxIdleConns, transport.IdleConnTimeout = 6, 30*time.Second // as the client has it where the transport is its own
	carrier := &http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}
	api, err := client.NewClientWithOpts(append([]client.Opt{client.WithHTTPClient(carrier)}, options...)...)
	if err != nil {
		return nil, err
	}
	carrier.Transport = heeding{carrier.Transport} // not before: the options set up the transport as one that they know
	return api, nil
}

type heeding struct{ http.RoundTripper }

func (h heeding) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.RoundTripper.RoundTrip(r)
	if ctx := r.Context(); err != nil && ctx.Err() != nil {
		err = &endedError{cause: context.Cause(ctx), kind: ctx.Err()}
	}
	return resp, err
}

// endedError is a request's that its context ended.
type endedError struct{ cause, kind error }

func (e *endedError) Error() string   { return e.cause.Error() }
func (e *endedError) Unwrap() []error { return []error{e.cause, e.kind} }

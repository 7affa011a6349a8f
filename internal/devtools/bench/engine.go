package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// engine speaks the Docker Engine API, in the engine's newest version, with as little around it as may be.
type engine struct{ http *http.Client }

// findEngine reaches the engine of DOCKER_HOST, or of the usual socket.
func findEngine(ctx context.Context) (*engine, error) {
	host := cmp.Or(os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock")
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return nil, fmt.Errorf("%s is no socket of this computer", host)
	}
	e := &engine{&http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}}
	return e, e.call(ctx, http.MethodGet, "/version", nil, nil)
}

// call sends in as JSON and decodes the answer into out; both may be nil. What is gone already is no error of a DELETE.
func (e *engine) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case method == http.MethodDelete && resp.StatusCode == http.StatusNotFound:
		return nil
	case resp.StatusCode >= 400:
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(answer))
	case out == nil:
		return nil
	}
	return json.Unmarshal(answer, out)
}

// bareEnvironment is what sleepers describes, made and unmade with the requests that cannot be left out: a
// network, and for each container create and start, then stop and remove.
type bareEnvironment struct {
	engine      *engine
	name, image string
	n           int
}

func (e *bareEnvironment) up(ctx context.Context) error {
	if err := e.engine.call(ctx, http.MethodPost, "/networks/create", map[string]any{"Name": e.name, "CheckDuplicate": true}, nil); err != nil {
		return err
	}
	return e.each(ctx, func(ctx context.Context, container string) error {
		err := e.engine.call(ctx, http.MethodPost, "/containers/create?name="+url.QueryEscape(container), map[string]any{
			"Image": e.image, "Cmd": []string{"sleep", "infinity"}, "Env": []string{"NUMBER=0", "LEVEL=info"},
			"HostConfig":       map[string]any{"NetworkMode": e.name, "Init": true},
			"NetworkingConfig": map[string]any{"EndpointsConfig": map[string]any{e.name: map[string]any{"Aliases": []string{container}}}},
		}, nil)
		if err != nil {
			return err
		}
		return e.engine.call(ctx, http.MethodPost, "/containers/"+container+"/start", nil, nil)
	})
}

func (e *bareEnvironment) down(ctx context.Context) error {
	err := e.each(ctx, func(ctx context.Context, container string) error {
		if err := e.engine.call(ctx, http.MethodPost, "/containers/"+container+"/stop", nil, nil); err != nil {
			return err
		}
		return e.engine.call(ctx, http.MethodDelete, "/containers/"+container+"?v=1", nil, nil)
	})
	return errors.Join(err, e.engine.call(ctx, http.MethodDelete, "/networks/"+e.name, nil, nil))
}

// takeDown removes what is left, whatever became of the measuring.
func (e *bareEnvironment) takeDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	err := e.each(ctx, func(ctx context.Context, container string) error {
		return e.engine.call(ctx, http.MethodDelete, "/containers/"+container+"?v=1&force=1", nil, nil)
	})
	return errors.Join(err, e.engine.call(ctx, http.MethodDelete, "/networks/"+e.name, nil, nil))
}

// each runs f for every container, as many at once as envctl does.
func (e *bareEnvironment) each(ctx context.Context, f func(ctx context.Context, container string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range e.n {
		group.Go(func() error { return f(ctx, fmt.Sprintf("%s-n%04d", e.name, i)) })
	}
	return group.Wait()
}

// timed measures one step; of a bare client only the wall time tells something.
func (e *bareEnvironment) timed(ctx context.Context, step func(context.Context) error) func() (sample, error) {
	return func() (sample, error) {
		began := time.Now()
		err := step(ctx)
		return sample{wall: time.Since(began)}, err
	}
}

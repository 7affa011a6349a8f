package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// serveControl answers who runs in the same container. Each answer takes changed wires into account
// first, so that a check after a change is about the change.
func (g *gateway) serveControl(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	status := func(w http.ResponseWriter, _ *http.Request) {
		g.reload(ctx)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(g.status())
	}
	mux.HandleFunc("GET /status", status)
	mux.HandleFunc("POST /reload", status)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(closed); _ = srv.Close() })
	err := srv.Serve(l)
	if !stop() {
		<-closed
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("control socket: %w", err)
}

// ask sends one request to the gateway that listens on control.
func ask(ctx context.Context, control, method, path string) (Status, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", control)
	}}
	defer transport.CloseIdleConnections()
	var s Status
	req, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, nil)
	if err != nil {
		return s, err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return s, fmt.Errorf("no gateway answers here: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	if err != nil {
		return s, fmt.Errorf("the gateway's answer: %w", err)
	}
	return s, nil
}

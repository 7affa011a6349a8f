package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/nettest"
	"github.com/envctl/envctl/templates/quickstart/pas/hl7"
)

// quickstart stands for the environment: what booking shows and what the HL7 port takes share one map.
type quickstart struct {
	mu       sync.Mutex
	patients map[string]patient
	fault    error // of each HL7 message
	lose     bool  // acknowledges, and writes nothing
}

func (q *quickstart) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.URL.Path == "/api/patients" {
		list := []patient{}
		for _, p := range q.patients {
			list = append(list, p)
		}
		json.NewEncoder(w).Encode(list)
		return
	}
	p, ok := q.patients[strings.TrimPrefix(r.URL.Path, "/api/patients/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	json.NewEncoder(w).Encode(p)
}

func (q *quickstart) take(raw []byte) []byte {
	m, err := hl7.Parse(raw)
	if err != nil {
		return hl7.Refuse(err, time.Now())
	}
	got, err := m.Patient()
	if err = errors.Join(err, q.fault); err == nil && !q.lose {
		q.mu.Lock()
		q.patients[got.ID] = patient{got.ID, got.Family, got.Given, got.Born.Format(time.DateOnly)}
		q.mu.Unlock()
	}
	return m.Acknowledge(err, time.Now())
}

func (q *quickstart) listen(t *testing.T) (booking, address string) {
	t.Helper()
	web := httptest.NewServer(q)
	t.Cleanup(web.Close)
	messages := nettest.Serve(t, func(c *net.TCPConn) {
		if raw, err := hl7.ReadBlock(bufio.NewReader(c)); err == nil {
			hl7.WriteBlock(c, q.take(raw))
		}
	})
	return web.URL, messages.String()
}

func TestTry(t *testing.T) {
	for _, c := range []struct {
		name  string
		env   *quickstart
		fault string
	}{
		{"all is well", &quickstart{patients: map[string]patient{seeded.ID: seeded}}, ""},
		{"nothing was seeded", &quickstart{patients: map[string]patient{}}, "seeded patient"},
		{"the message is refused", &quickstart{patients: map[string]patient{seeded.ID: seeded}, fault: errors.New("no database")}, "MSA|AE"},
		{"the message is lost", &quickstart{patients: map[string]patient{seeded.ID: seeded}, lose: true}, "404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			booking, address := c.env.listen(t)
			err := try(t.Context(), io.Discard, booking, address)
			switch {
			case c.fault == "" && err != nil:
				t.Error(err)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("got %v, want an error that says %q", err, c.fault)
			}
		})
	}
}

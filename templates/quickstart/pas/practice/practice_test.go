package practice

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/templates/quickstart/pas/hl7"
)

// server is a practice system that listens, with settings that a test may change.
type server struct {
	api, mllp string
	settings  atomic.Pointer[Config]
}

func serve(t *testing.T, cfg Config) *server {
	t.Helper()
	s := &server{}
	s.settings.Store(&cfg)
	var listeners [2]net.Listener
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = l
	}
	s.api, s.mllp = "http://"+listeners[0].Addr().String(), listeners[1].Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	practice := NewServer(func() (Config, error) { return *s.settings.Load(), nil }, slog.New(slog.DiscardHandler))
	go func() { ended <- practice.Serve(ctx, listeners[0], listeners[1]) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Serve did not end within 10 s of its context")
		}
	})
	return s
}

func (s *server) get(t *testing.T, path string, into any) int {
	t.Helper()
	client := http.Client{Timeout: 15 * time.Second}
	answer, err := client.Get(s.api + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	defer client.CloseIdleConnections()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s answered %q: %v", path, body, err)
	}
	return answer.StatusCode
}

// send gives the acknowledgements of messages that are sent over one connection.
func (s *server) send(t *testing.T, messages ...string) []hl7.Message {
	t.Helper()
	c, err := net.Dial("tcp", s.mllp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	var acks []hl7.Message
	for _, m := range messages {
		if err := hl7.WriteBlock(c, []byte(m)); err != nil {
			t.Fatal(err)
		}
		raw, err := hl7.ReadBlock(r)
		if err != nil {
			t.Fatal(err)
		}
		ack, err := hl7.Parse(raw)
		if err != nil {
			t.Fatalf("the acknowledgement %q: %v", raw, err)
		}
		acks = append(acks, ack)
	}
	return acks
}

func adt(event, control, patient string) string {
	return "MSH|^~\\&|LAB|X|PAS|R|20260101||ADT^" + event + "|" + control + "|P|2.5\rPID|1||" + patient + "\r"
}

func TestPatientsComeFromTheDatabaseAndFromHL7(t *testing.T) {
	s := serve(t, database(t))

	var seeded []Patient
	if status := s.get(t, "/patients", &seeded); status != http.StatusOK || len(seeded) != 4 {
		t.Fatalf("status %d, %+v; want the four seeded patients", status, seeded)
	}
	want := Patient{ID: "1001", Family: "Lovelace", Given: "Ada", Born: "1815-12-10"}
	if diff := cmp.Diff(want, seeded[0]); diff != "" {
		t.Error(diff)
	}

	acks := s.send(t,
		adt("A28", "C1", "2001||Curie^Marie||18671107"),
		adt("A31", "C2", "2001||Sklodowska-Curie^Marie||18671107"), // known: changed, not doubled
		adt("A04", "C3", "|"),
		"PID|no header\r",
	)
	for i, want := range []string{"AA C1", "AA C2", "AE C3", "AR "} {
		if got := acks[i].Field("MSA", 1) + " " + acks[i].Field("MSA", 2); got != want {
			t.Errorf("message %d was answered %q, want %q", i+1, got, want)
		}
	}
	var curie Patient
	s.get(t, "/patients/2001", &curie)
	if diff := cmp.Diff(Patient{ID: "2001", Family: "Sklodowska-Curie", Given: "Marie", Born: "1867-11-07"}, curie); diff != "" {
		t.Error(diff)
	}
	var all []Patient
	if s.get(t, "/patients", &all); len(all) != 5 {
		t.Errorf("%d patients, want 5", len(all))
	}
	var fault map[string]string
	if status := s.get(t, "/patients/nobody", &fault); status != http.StatusNotFound {
		t.Errorf("an unknown patient is answered %d, want 404", status)
	}
}

func TestADatabaseThatIsAwayIsSaidAndComesBack(t *testing.T) {
	there := database(t)
	gone := there
	gone.DbHost, gone.DbPort = "127.0.0.1", closedPort(t)
	s := serve(t, gone)

	var health, fault map[string]string
	if status := s.get(t, "/health", &health); status != http.StatusOK || health["status"] != "ok" {
		t.Errorf("health without a database: %d %v", status, health)
	}
	if status := s.get(t, "/patients", &fault); status != http.StatusBadGateway || fault["error"] == "" {
		t.Errorf("patients without a database: %d %v", status, fault)
	}
	if ack := s.send(t, adt("A28", "C9", "2009||Day^Doris"))[0]; ack.Field("MSA", 1) != "AE" || ack.Field("MSA", 2) != "C9" {
		t.Errorf("a message without a database: MSA|%s|%s, want AE|C9", ack.Field("MSA", 1), ack.Field("MSA", 2))
	}

	s.settings.Store(&there)
	var list []Patient
	if status := s.get(t, "/patients", &list); status != http.StatusOK || len(list) == 0 {
		t.Errorf("with the database back: %d %v", status, list)
	}
}

func TestASilentDatabaseIsNotWaitedForLong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	s := serve(t, Config{DbHost: host, DbPort: port, DbName: "x", DbUser: "x", Password: "x"})
	begun := time.Now()
	var fault map[string]string
	if status := s.get(t, "/patients", &fault); status != http.StatusBadGateway {
		t.Errorf("status %d, want 502", status)
	}
	if took := time.Since(begun); took > queryTimeout+3*time.Second {
		t.Errorf("the answer took %s", took)
	}
}

func TestSettingsThatAreMissingAreNamed(t *testing.T) {
	_, err := Config{DbHost: "db", DbPort: "5432", DbUser: "pas"}.dsn()
	if err == nil || !strings.Contains(err.Error(), "DbName") {
		t.Errorf("got %v, want an error that names DbName", err)
	}
	dsn, err := Config{DbHost: "db", DbPort: "5432", DbUser: "pas", DbName: "p", Password: "a@b/c?d#e%f"}.dsn()
	if err != nil || !strings.Contains(dsn, "a%40b%2Fc%3Fd%23e%25f@db:5432/p") {
		t.Errorf("a password of odd characters becomes %q, %v", dsn, err)
	}
}

// closedPort is one that nothing listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

package winrm

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/secret"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is the least of a WinRM server, on real TCP and TLS. Its one command gives back what it is
// sent. What a test wants otherwise, it puts in on.
type machine struct {
	t      testing.TB
	server *httptest.Server
	// on answers an action in place of the machine.
	on map[string]func(asked) reply

	mu        sync.Mutex
	changed   sync.Cond
	seen      []asked
	out       []byte
	eof       bool
	largest   int // envelope, in bytes
	perAnswer int // bytes of output at most
}

type asked struct {
	action string
	body   string
	http   *http.Request
	env    envelope
}

type reply struct {
	status int
	body   string
	header http.Header
}

type envelope struct {
	Header struct {
		Action  string
		Options []struct {
			Name  string `xml:"Name,attr"`
			Value string `xml:",chardata"`
		} `xml:"OptionSet>Option"`
		MaxEnvelopeSize  int
		OperationTimeout string
	}
	Body struct {
		Shell struct {
			WorkingDirectory string
			IdleTimeOut      string
			Variables        []struct {
				Name  string `xml:"Name,attr"`
				Value string `xml:",chardata"`
			} `xml:"Environment>Variable"`
		}
		CommandLine struct {
			Command   string
			Arguments []string
		}
		Send struct {
			Stream struct {
				End  string `xml:"End,attr"`
				Data string `xml:",chardata"`
			}
		}
		Signal struct{ Code string }
	}
}

func newMachine(t testing.TB, tls bool) *machine {
	m := &machine{t: t, on: map[string]func(asked) reply{}, perAnswer: 340 << 10}
	m.changed.L = &m.mu
	m.server = httptest.NewUnstartedServer(m)
	if tls {
		m.server.StartTLS()
	} else {
		m.server.Start()
	}
	t.Cleanup(m.stop)
	return m
}

func (m *machine) stop() {
	m.mu.Lock()
	m.eof = true
	m.changed.Broadcast()
	m.mu.Unlock()
	m.server.CloseClientConnections()
	m.server.Close()
}

const testPassword = "pässwörd-geheim"

func (m *machine) config() Config {
	u, _ := url.Parse(m.server.URL)
	port, _ := strconv.Atoi(u.Port())
	c := Config{Address: u.Hostname(), Port: port, User: "tester", Password: secret.Text{Value: testPassword, Sensitive: true},
		Auth: Basic, Insecure: true, CleanupTimeout: time.Second}
	if cert := m.server.Certificate(); cert != nil {
		c.HTTPS, c.Fingerprint = true, Fingerprint(cert.Raw)
	}
	return c
}

func (m *machine) client(change func(*Config)) *Client {
	m.t.Helper()
	cfg := m.config()
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (m *machine) start(change func(*Config)) (*Shell, *Command) {
	m.t.Helper()
	shell, err := m.client(change).Shell(m.t.Context(), ShellOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	cmd, err := shell.Start(m.t.Context(), "echo", CommandOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	return shell, cmd
}

func (m *machine) count(action string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, a := range m.seen {
		if a.action == action {
			n++
		}
	}
	return n
}

func (m *machine) last(action string) asked {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.seen) - 1; i >= 0; i-- {
		if m.seen[i].action == action {
			return m.seen[i]
		}
	}
	m.t.Fatalf("no %s was sent", action)
	return asked{}
}

func (m *machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a := asked{body: string(body), http: r}
	if err := xml.Unmarshal(body, &a.env); err != nil && len(body) > 0 {
		m.t.Errorf("a message that is no XML: %v", err)
	}
	a.action = lastWord(a.env.Header.Action)
	if strings.Contains(a.body, "Identify") {
		a.action = "Identify"
	}
	m.mu.Lock()
	m.largest = max(m.largest, len(body))
	keep := a
	keep.body = a.body[:min(len(a.body), 8<<10)]
	keep.env.Body.Send.Stream.Data = ""
	m.seen = append(m.seen, keep)
	answer := m.on[a.action]
	m.mu.Unlock()
	if answer == nil {
		answer = m.answer
	}
	rep := answer(a)
	for k, v := range rep.header {
		w.Header()[k] = v
	}
	if rep.header.Get("Content-Type") == "" {
		w.Header().Set("Content-Type", soapContentType)
	}
	w.WriteHeader(rep.status)
	_, _ = io.WriteString(w, rep.body)
}

func (m *machine) answer(a asked) reply {
	switch a.action {
	case "Identify":
		return ok("", `<i:IdentifyResponse xmlns:i="`+nsIdentity+`"><i:ProductVendor>Microsoft Corporation</i:ProductVendor><i:ProductVersion>OS: 10.0.20348 SP: 0.0 Stack: 3.0</i:ProductVersion></i:IdentifyResponse>`)
	case "Create":
		return ok(actionCreate+"Response", `<r:Shell><r:ShellId>S1</r:ShellId></r:Shell>`)
	case "Command":
		return ok(actionCommand+"Response", `<r:CommandResponse><r:CommandId>C1</r:CommandId></r:CommandResponse>`)
	case "Send":
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(a.env.Body.Send.Stream.Data))
		if err != nil {
			m.t.Errorf("stdin: %v", err)
		}
		m.mu.Lock()
		m.out = append(m.out, data...)
		m.eof = m.eof || a.env.Body.Send.Stream.End == "true"
		m.changed.Broadcast()
		m.mu.Unlock()
		return ok(actionSend+"Response", `<r:SendResponse/>`)
	case "Receive":
		return m.receive()
	case "Get":
		return ok(actionGet+"Response", `<c:Config xmlns:c="`+nsConfig+`"><c:MaxEnvelopeSizekb>500</c:MaxEnvelopeSizekb></c:Config>`)
	}
	return ok(a.env.Header.Action+"Response", "")
}

// receive is a long poll, as a real one is.
func (m *machine) receive() reply {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.out) == 0 && !m.eof {
		m.changed.Wait()
	}
	n := min(len(m.out), m.perAnswer)
	data := m.out[:n]
	m.out = m.out[n:]
	state := running
	if len(m.out) == 0 && m.eof {
		state = done("0")
	}
	return received(stream("stdout", string(data)) + state)
}

const running = `<r:CommandState CommandId="C1" State="` + actionPrefix + `CommandState/Running"/>`
const actionPrefix = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/"

func done(code string) string {
	return `<r:CommandState CommandId="C1" State="` + stateDone + `"><r:ExitCode>` + code + `</r:ExitCode></r:CommandState>`
}

func stream(name, data string) string {
	return `<r:Stream Name="` + name + `" CommandId="C1">` + base64.StdEncoding.EncodeToString([]byte(data)) + `</r:Stream>`
}

func received(body string) reply {
	return ok(actionReceive+"Response", `<r:ReceiveResponse>`+body+`</r:ReceiveResponse>`)
}

func ok(action, body string) reply {
	return reply{status: 200, body: `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:r="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header><a:Action>` +
		action + `</a:Action></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`}
}

func fault(status int, code uint32) func(asked) reply {
	return func(asked) reply {
		r := ok("http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", fmt.Sprintf(`<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:Some</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">It did not work.</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="%d" Machine="m"><f:Message>It did not work.</f:Message></f:WSManFault></s:Detail></s:Fault>`, code))
		r.status = status
		return r
	}
}

// slow adds a delay to each of a client's requests, as distance does.
type slow struct {
	net.Conn
	delay time.Duration
}

func (s slow) Write(p []byte) (int, error) {
	time.Sleep(s.delay)
	return s.Conn.Write(p)
}

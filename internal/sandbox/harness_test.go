//go:build unix

package sandbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shStarter runs command lines with Linux' sh: enough to hold the protocol to real processes
// without Wine.
type shStarter struct{ specs chan CommandSpec }

func (s shStarter) Start(_ context.Context, spec CommandSpec) (Process, error) {
	if s.specs != nil {
		s.specs <- spec
	}
	p := &shProcess{cmd: exec.Command("sh", "-c", spec.Line), done: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	for _, v := range spec.Env {
		p.cmd.Env = append(p.cmd.Environ(), v.Name+"="+v.Value)
	}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	p.out, p.err, p.cmd.Stdout, p.cmd.Stderr = outR, errR, outW, errW
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.waitErr = p.cmd.Wait()
		_ = outW.Close()
		_ = errW.Close()
	}()
	return p, nil
}

type shProcess struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out, err *io.PipeReader
	done     chan struct{}
	waitErr  error
}

func (p *shProcess) Stdin() io.WriteCloser { return p.in }
func (p *shProcess) Stdout() io.ReadCloser { return p.out }
func (p *shProcess) Stderr() io.ReadCloser { return p.err }
func (p *shProcess) Wait() (uint32, error) {
	<-p.done
	return uint32(p.cmd.ProcessState.ExitCode()), nil
}
func (p *shProcess) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.out.Close()
	_ = p.err.Close()
}
func (p *shProcess) Close() { p.Kill() }

const (
	testUser     = "vagrant"
	testPassword = "Pässwörd!"
)

// served is a Server on real listeners.
type served struct {
	*Server
	http, https string
	roots       *x509.CertPool
}

func serveTest(t *testing.T, opt Options) *served {
	t.Helper()
	if opt.User == "" {
		opt.User, opt.Password = testUser, testPassword
	}
	if opt.Starter == nil {
		opt.Starter = shStarter{}
	}
	s, err := NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, _, err := NewCertificate("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	tlsConfig, err := (&Config{Certificate: string(cert), Key: string(key)}).tls()
	if err != nil {
		t.Fatal(err)
	}
	v := &served{Server: s, roots: x509.NewCertPool()}
	v.roots.AppendCertsFromPEM(cert)
	server := s.HTTPServer()
	var wg sync.WaitGroup
	listen := func(wrap func(net.Listener) net.Listener) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = server.Serve(wrap(l)) }) // ends with Close
		return l.Addr().String()
	}
	v.http = "http://" + listen(func(l net.Listener) net.Listener { return l }) + "/wsman"
	v.https = "https://" + listen(func(l net.Listener) net.Listener { return tls.NewListener(l, tlsConfig) }) + "/wsman"
	t.Cleanup(func() {
		_ = server.Close()
		s.CloseShells()
		wg.Wait()
	})
	return v
}

func (v *served) client(t *testing.T) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: v.roots}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// post sends an envelope over HTTPS with Basic and gives the answer.
func (v *served) post(t *testing.T, body string) (int, []byte) {
	t.Helper()
	status, answer, err := v.tryPost(v.client(t), body)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

func (v *served) tryPost(c *http.Client, body string) (int, []byte, error) {
	req, err := http.NewRequest(http.MethodPost, v.https, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.SetBasicAuth(v.opt.User, v.opt.Password)
	req.Header.Set("Content-Type", soapType)
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// envelope builds a request as clients do.
type envelope struct {
	action, body, shell string
	timeout             string // PT60S where empty
	size                int    // 153600 where 0
	options             map[string]string
	resource            string
}

func (e envelope) String() string {
	if e.timeout == "" {
		e.timeout = "PT60S"
	}
	if e.size == 0 {
		e.size = 153600
	}
	if e.resource == "" {
		e.resource = resourceCmd
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<env:Envelope xmlns:env="%s" xmlns:a="%s" xmlns:w="%s" xmlns:rsp="%s"><env:Header><a:Action>%s</a:Action><a:MessageID>uuid:%s</a:MessageID>`+
		`<a:To>https://x/wsman</a:To><w:ResourceURI>%s</w:ResourceURI><w:MaxEnvelopeSize>%d</w:MaxEnvelopeSize><w:OperationTimeout>%s</w:OperationTimeout>`,
		nsSOAP, nsAddr, nsWSMan, nsShell, e.action, newID(), e.resource, e.size, e.timeout)
	if e.shell != "" {
		fmt.Fprintf(&b, `<w:SelectorSet><w:Selector Name="ShellId">%s</w:Selector></w:SelectorSet>`, e.shell)
	}
	b.WriteString(`<w:OptionSet>`)
	for k, v := range e.options {
		fmt.Fprintf(&b, `<w:Option Name="%s">%s</w:Option>`, k, v)
	}
	fmt.Fprintf(&b, `</w:OptionSet></env:Header><env:Body>%s</env:Body></env:Envelope>`, e.body)
	return b.String()
}

const shellBody = `<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`

func (v *served) open(t *testing.T, body string) string {
	t.Helper()
	status, answer := v.post(t, envelope{action: actionCreate, body: body}.String())
	id := find(parsed(t, answer), nsShell, "ShellId").value()
	if status != 200 || id == "" {
		t.Fatalf("Create: %d %s", status, answer)
	}
	return id
}

func (v *served) start(t *testing.T, shell, line string) string {
	t.Helper()
	status, answer := v.post(t, envelope{action: actionCommand, shell: shell,
		body: `<rsp:CommandLine><rsp:Command>` + escape(line) + `</rsp:Command></rsp:CommandLine>`}.String())
	id := find(parsed(t, answer), nsShell, "CommandId").value()
	if status != 200 || id == "" {
		t.Fatalf("Command: %d %s", status, answer)
	}
	return id
}

func receiveBody(command string) string {
	return `<rsp:Receive><rsp:DesiredStream CommandId="` + command + `">stdout stderr</rsp:DesiredStream></rsp:Receive>`
}

func sendBody(command string, data []byte, end bool) string {
	return fmt.Sprintf(`<rsp:Send><rsp:Stream Name="stdin" CommandId="%s" End="%t">%s</rsp:Stream></rsp:Send>`, command, end, base64.StdEncoding.EncodeToString(data))
}

func signalBody(command, code string) string {
	return `<rsp:Signal CommandId="` + command + `"><rsp:Code>` + nsShell + `/signal/` + code + `</rsp:Code></rsp:Signal>`
}

// drain receives until the command is done.
func (v *served) drain(t *testing.T, shell, command string, size int) (stdout, stderr []byte, exit string) {
	t.Helper()
	for {
		status, answer := v.post(t, envelope{action: actionReceive, shell: shell, body: receiveBody(command), size: size}.String())
		if status != 200 {
			t.Fatalf("Receive: %d %s", status, answer)
		}
		if len(answer) > size {
			t.Fatalf("the answer has %d bytes, the client takes %d", len(answer), size)
		}
		r := find(parsed(t, answer), nsShell, "ReceiveResponse")
		for _, c := range r.children {
			data, err := decodeBase64(c.text)
			if c.name.Local != "Stream" || err != nil {
				continue
			}
			if c.attr("Name") == "stdout" {
				stdout = append(stdout, data...)
			} else {
				stderr = append(stderr, data...)
			}
		}
		if state := r.child(nsShell, "CommandState"); state.attr("State") == stateDone {
			return stdout, stderr, state.child(nsShell, "ExitCode").value()
		}
	}
}

func parsed(t *testing.T, data []byte) *element {
	t.Helper()
	root, err := parseXML(data)
	if err != nil {
		t.Fatalf("the answer is no XML: %v\n%s", err, data)
	}
	return root
}

// find gives the first descendant of that name, or nil.
func find(e *element, space, local string) *element {
	if e == nil || e.name.Space == space && e.name.Local == local {
		return e
	}
	for _, c := range e.children {
		if f := find(c, space, local); f != nil {
			return f
		}
	}
	return nil
}

// wantFault checks an answer for a fault's code.
func wantFault(t *testing.T, status int, answer []byte, code uint32) {
	t.Helper()
	got := find(parsed(t, answer), nsFault, "WSManFault").attr("Code")
	if status != 500 || got != fmt.Sprint(code) {
		t.Fatalf("got status %d and fault %q, want 500 and %d\n%s", status, got, code, bytes.TrimSpace(answer))
	}
}

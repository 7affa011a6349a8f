//go:build unix

package sandbox

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// recording is a file of exchanges with a real Windows server.
type recording struct {
	Messages []struct {
		Request        string
		Response       string
		TransportError struct{ Code int } `yaml:"transport_error"`
	}
}

// recordings gives the folder's files: ENVCTL_WINRM_RECORDINGS, or the one beside the repository.
func recordings(t *testing.T) []string {
	dir := os.Getenv("ENVCTL_WINRM_RECORDINGS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "winrm-recordings")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("no recordings in %s: name a folder with recorded WinRM exchanges in ENVCTL_WINRM_RECORDINGS", dir)
	}
	return files
}

// TestRecordings sends what a real client sent, and holds our answers to the real server's: the
// same elements, namespaces, attributes and values, but for ids and addresses. The process is
// scripted from the recording: it writes what each recorded Receive got, just before it.
func TestRecordings(t *testing.T) {
	for _, file := range recordings(t) {
		t.Run(filepath.Base(file), func(t *testing.T) { replay(t, file) })
	}
}

func replay(t *testing.T, file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rec recording
	if err := yaml.Unmarshal(raw, &rec); err != nil {
		t.Fatal(err)
	}
	process := newScripted()
	v := serveTest(t, Options{Starter: process})
	ids := map[string]string{} // the recording's shell and command ids → ours
	for i, m := range rec.Messages {
		request := m.Request
		for theirs, ours := range ids {
			request = strings.ReplaceAll(request, theirs, ours)
		}
		want := parsed(t, []byte(m.Response))
		if find(want, nsFault, "WSManFault").attr("Code") == strconv.Itoa(CodeOperationTimeout) {
			request = strings.Replace(request, "PT10S", "PT0.2S", 1) // the same wait, in less time
		}
		if r := find(want, nsShell, "ReceiveResponse"); r != nil {
			process.play(t, v.Server, r)
		}
		status, answer := v.post(t, request)
		wantStatus := 200
		if m.TransportError.Code != 0 {
			wantStatus = m.TransportError.Code
		}
		if status != wantStatus {
			t.Errorf("message %d: status %d, recorded %d\n%s", i, status, wantStatus, answer)
		}
		got := parsed(t, answer)
		for _, name := range []string{"ShellId", "CommandId"} {
			if theirs := find(want, nsShell, name); theirs != nil {
				ids[theirs.value()] = find(got, nsShell, name).value()
			}
		}
		compare(t, fmt.Sprintf("message %d", i), want, got, ids)
	}
}

// compare reports where two answers differ.
func compare(t *testing.T, at string, want, got *element, ids map[string]string) {
	t.Helper()
	at += "/" + want.name.Local
	if want.name != got.name {
		t.Errorf("%s: got element %v, recorded %v", at, got.name, want.name)
		return
	}
	if wa, ga := attributes(want, ids), attributes(got, nil); !slices.Equal(wa, ga) {
		t.Errorf("%s: got attributes %v, recorded %v", at, ga, wa)
	}
	wantText := want.value()
	if ours, ok := ids[wantText]; ok {
		wantText = ours
	}
	if differs := want.name.Local == "MessageID" || want.name.Local == "ClientIP"; !differs && wantText != got.value() {
		t.Errorf("%s: got %q, recorded %q", at, got.value(), wantText)
	}
	if len(want.children) != len(got.children) {
		t.Errorf("%s: got %d elements, recorded %d", at, len(got.children), len(want.children))
		return
	}
	for i := range want.children {
		compare(t, at, want.children[i], got.children[i], ids)
	}
}

// attributes lists an element's attributes without namespace declarations, whose prefixes are
// free, and without the machine's name.
func attributes(e *element, ids map[string]string) []string {
	var out []string
	for _, a := range e.attrs {
		switch {
		case a.Name.Space == "xmlns", a.Name.Local == "xmlns", a.Name.Local == "Machine":
			continue
		}
		value := a.Value
		if ours, ok := ids[value]; ok {
			value = ours
		}
		out = append(out, a.Name.Space+" "+a.Name.Local+"="+value)
	}
	slices.Sort(out)
	return out
}

// scripted is a process that does what a recording says.
type scripted struct {
	in     *io.PipeReader
	inW    *io.PipeWriter
	out    map[string]*io.PipeWriter
	outR   map[string]*io.PipeReader
	exited chan struct{}
	code   uint32
}

func newScripted() *scripted {
	p := &scripted{exited: make(chan struct{}), out: map[string]*io.PipeWriter{}, outR: map[string]*io.PipeReader{}}
	p.in, p.inW = io.Pipe()
	for _, s := range []string{"stdout", "stderr"} {
		p.outR[s], p.out[s] = io.Pipe()
	}
	return p
}

func (p *scripted) Start(context.Context, CommandSpec) (Process, error) {
	go func() { _, _ = io.Copy(io.Discard, p.in) }() // ends with the input
	return p, nil
}

// play writes what a recorded answer carried, and waits until the server holds it.
func (p *scripted) play(t *testing.T, s *Server, answer *element) {
	t.Helper()
	var out *output
	for _, sh := range s.shells {
		for _, c := range sh.commands {
			out = c.out
		}
	}
	chunks := 0
	for _, c := range answer.children {
		switch {
		case c.name.Local == "Stream" && c.attr("End") == "":
			data, err := decodeBase64(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.out[c.attr("Name")].Write(data); err != nil {
				t.Fatal(err)
			}
			chunks++
			await(out, func() bool { return len(out.chunks) == chunks })
		case c.name.Local == "CommandState" && c.attr("State") == stateDone:
			code, err := strconv.ParseUint(c.child(nsShell, "ExitCode").value(), 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			p.code = uint32(code)
			_ = p.out["stdout"].Close()
			_ = p.out["stderr"].Close()
			close(p.exited)
			await(out, func() bool { return out.exited })
		}
	}
}

// await waits until a condition on an output holds.
func await(o *output, holds func() bool) {
	for {
		o.mu.Lock()
		done, changed := holds(), o.changed
		o.mu.Unlock()
		if done {
			return
		}
		<-changed
	}
}

func (p *scripted) Stdin() io.WriteCloser { return p.inW }
func (p *scripted) Stdout() io.ReadCloser { return p.outR["stdout"] }
func (p *scripted) Stderr() io.ReadCloser { return p.outR["stderr"] }
func (p *scripted) Kill()                 {}
func (p *scripted) Close()                {}

func (p *scripted) Wait() (uint32, error) {
	<-p.exited
	return p.code, nil
}

package kit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func file(path, content string) File {
	return File{Path: path, Mode: 0o644, Size: int64(len(content)), Time: 7, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content)), nil
	}}
}

func folder(path string) File { return File{Path: path, Mode: fs.ModeDir | 0o755} }
func link(path, target string) File {
	return File{Path: path, Mode: fs.ModeSymlink | 0o777, Link: target}
}

var tree = Dir{
	folder("a"), file("a/one.go", "one"), file("a/two.txt", "two"), link("away", "/a"),
	folder("b"), folder("b/deep"), file("b/deep/x", "x"), link("b/here", "deep"), file("top", "top"),
}

func TestFilter(t *testing.T) {
	for name, c := range map[string]struct {
		include, exclude, follow []string
		want                     string
	}{
		"all":                   {want: "a a/one.go a/two.txt away b b/deep b/deep/x b/here top"},
		"a file with its path":  {include: []string{"b/deep/x"}, want: "b b/deep b/deep/x"},
		"a folder with all":     {include: []string{"a"}, want: "a a/one.go a/two.txt"},
		"without":               {exclude: []string{"a", "top"}, want: "away b b/deep b/deep/x b/here"},
		"without, but":          {exclude: []string{"*", "!a/*.go"}, want: "a a/one.go"},
		"anywhere":              {include: []string{"**/*.txt"}, want: "a a/two.txt"},
		"both":                  {include: []string{"a"}, exclude: []string{"**/*.go"}, want: "a a/two.txt"},
		"through a link":        {follow: []string{"away/one.go"}, want: "a a/one.go away"},
		"through one beside it": {follow: []string{"b/here/x"}, want: "b b/deep b/deep/x b/here"},
		"wildcards":             {follow: []string{"a*"}, want: "a a/one.go a/two.txt away"},
		"not there":             {follow: []string{"nothing"}, want: ""},
		"the folder itself":     {follow: []string{"top", "/"}, want: "a a/one.go a/two.txt away b b/deep b/deep/x b/here top"},
	} {
		got, err := tree.filter(c.include, c.exclude, c.follow)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var paths []string
		for _, f := range got {
			paths = append(paths, f.Path)
		}
		if got := strings.Join(paths, " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, err := tree.filter([]string{"[a"}, nil, nil); err == nil {
		t.Error("a pattern that is none was taken")
	}
}

func TestALinkToItselfHasAnEnd(t *testing.T) {
	d := Dir{link("a", "b"), link("b", "a")}
	if got := d.follow([]string{"a/x", "b"}); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
}

// engine is what BuildKit is to a session.
type engine struct {
	t    *testing.T
	meta map[string][]string
	http *http.Client
	done chan error
}

// run starts a session with an engine that has accepted it.
func run(t *testing.T, s *Session) *engine {
	t.Helper()
	ours, theirs := net.Pipe()
	e := &engine{t: t, done: make(chan error, 1)}
	dialled := make(chan struct{})
	go func() {
		e.done <- s.Run(t.Context(), func(_ context.Context, proto string, meta map[string][]string) (net.Conn, error) {
			e.meta = meta
			close(dialled)
			return ours, nil
		})
	}()
	<-dialled
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	e.http = &http.Client{Transport: &http.Transport{
		Protocols:   &protocols,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return theirs, nil },
	}}
	t.Cleanup(func() {
		_ = theirs.Close()
		if err := <-e.done; err != nil {
			t.Errorf("the session ended with %v", err)
		}
	})
	return e
}

// call gives a call's answer to one message, its code and its message.
func (e *engine) call(path string, question []byte) (answer []byte, code, why string) {
	e.t.Helper()
	var body bytes.Buffer
	out := stream{out: bufio.NewWriter(&body)}
	if err := errors.Join(out.send(question), out.out.Flush()); err != nil {
		e.t.Fatal(err)
	}
	r, err := e.http.Post("http://session"+path, "application/grpc", &body)
	if err != nil {
		e.t.Fatal(err)
	}
	defer r.Body.Close()
	in := stream{in: bufio.NewReader(r.Body)}
	answer, err = in.receive()
	if err != nil && !errors.Is(err, io.EOF) {
		e.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return bytes.Clone(answer), r.Trailer.Get("Grpc-Status"), r.Trailer.Get("Grpc-Message")
}

func TestCalls(t *testing.T) {
	e := run(t, &Session{
		ID: "id", Shared: "/home/jörg",
		Credentials: func(_ context.Context, registry string) (string, string, error) {
			if registry != "docker.io" {
				return "", "", fmt.Errorf("no helper for %q, 100%%", registry)
			}
			return "ann", "pass", nil
		},
		Secrets: map[string][]byte{"token": []byte("hidden"), "large": make([]byte, maxSecret+1)},
	})
	if got := e.meta["X-Docker-Expose-Session-Sharedkey"]; e.meta["X-Docker-Expose-Session-Sharedkey-Encoded"] == nil || got[0] != "%2Fhome%2Fj%C3%B6rg" {
		t.Errorf("the shared key goes as %q", got)
	}
	if got := e.meta["X-Docker-Expose-Session-Grpc-Method"]; !slices.Contains(got, "/moby.filesync.v1.FileSync/DiffCopy") {
		t.Errorf("told of %q", got)
	}
	for _, c := range []struct {
		path, question string
		answer         string
		code, why      string
	}{
		{"/grpc.health.v1.Health/Check", "", "\x08\x01", "0", ""},
		{"/moby.filesync.v1.Auth/Credentials", "\x0a\x09docker.io", "\x0a\x03ann\x12\x04pass", "0", ""},
		{"/moby.filesync.v1.Auth/Credentials", "\x0a\x01x", "", "2", "no%20helper%20for%20%22x%22%2C%20100%25"},
		{"/moby.filesync.v1.Auth/FetchToken", "", "", "12", "%2Fmoby.filesync.v1.Auth%2FFetchToken%20is%20not%20to%20be%20had"},
		{"/moby.buildkit.secrets.v1.Secrets/GetSecret", "\x0a\x05token", "\x0a\x06hidden", "0", ""},
		{"/moby.buildkit.secrets.v1.Secrets/GetSecret", "\x0a\x04none", "", "5", "the%20build%20has%20no%20secret%20%22none%22"},
		{"/moby.buildkit.secrets.v1.Secrets/GetSecret", "\x0a\x05large", "", "2", "the%20secret%20%22large%22%20has%20512001%20bytes%2C%20and%20BuildKit%20takes%20512000%20at%20most"},
		{"/moby.buildkit.secrets.v1.Secrets/GetSecret", "\x0a\x7f", "", "2", "not%20a%20message%20of%20Protocol%20Buffers"},
	} {
		answer, code, why := e.call(c.path, []byte(c.question))
		if string(answer) != c.answer || code != c.code || why != c.why {
			t.Errorf("%s %q: %q, code %s, %q", c.path, c.question, answer, code, why)
		}
	}
}

// TestDiffCopy is BuildKit's side of one: it hears of all, asks for two files, one of them larger than a message and
// than what may be under way, and ends.
func TestDiffCopy(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 1<<16)
	e := run(t, &Session{Dirs: map[string]Dir{"context": append(slices.Clone(tree), file("z", large))}})
	questions, body := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://session/moby.filesync.v1.FileSync/DiffCopy", questions)
	if err != nil {
		t.Fatal(err)
	}
	request.Header["Dir-Name"] = []string{"context"}
	request.Header["Exclude-Patterns"] = []string{"b", "%C3%A4"}
	request.Header["Exclude-Patterns-Encoded"] = []string{"1"}
	r, err := e.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	out, in := stream{out: bufio.NewWriter(body)}, stream{in: bufio.NewReader(r.Body)}
	ask := func(kind, file uint64) {
		if err := errors.Join(out.send(putNumber(putNumber(nil, 1, kind), 3, file)), out.out.Flush()); err != nil {
			t.Error(err)
		}
	}
	var paths []string
	content := map[uint64]string{}
	ended := map[uint64]bool{}
	over := false
	for !over {
		msg, err := in.receive()
		if err != nil {
			t.Fatal(err)
		}
		var kind, id uint64
		var stat, data []byte
		if err := fields(msg, func(field int, n uint64, b []byte) error {
			switch field {
			case 1:
				kind = n
			case 2:
				stat = b
			case 3:
				id = n
			case 4:
				data = b
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		switch {
		case kind == packetStat && stat != nil:
			p, err := text(stat, 1)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, p)
		case kind == packetStat:
			ask(packetRequest, 1)
			ask(packetRequest, 5)
		case kind == packetData && len(data) == 0:
			if ended[id] = true; len(ended) == 2 {
				ask(packetEnd, 0)
			}
		case kind == packetData:
			content[id] += string(data)
		case kind == packetEnd:
			over = true
		default:
			t.Fatalf("a packet of kind %d", kind)
		}
	}
	_ = body.Close()
	if _, err := in.receive(); !errors.Is(err, io.EOF) || r.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("it ends with %v, %v", err, r.Trailer)
	}
	if got := strings.Join(paths, " "); got != "a a/one.go a/two.txt away top z" {
		t.Errorf("told of %q", got)
	}
	if content[1] != "one" || content[5] != large {
		t.Errorf("got %q and %d bytes", content[1], len(content[5]))
	}
}

// TestDiffCopyFails names what is asked for and is not there, or cannot be read.
func TestDiffCopyFails(t *testing.T) {
	broken := file("broken", "x")
	broken.Open = func() (io.ReadCloser, error) { return nil, errors.New("it went away") }
	e := run(t, &Session{Dirs: map[string]Dir{"": {folder("a"), broken}}})
	for question, want := range map[string]string{
		"\x08\x01":             "asks%20for%20file%200",
		"\x08\x01\x18\x01":     "it%20went%20away",
		"\x08\x01\x18\x07":     "asks%20for%20file%207",
		"\x08\x04\x22\x04full": "ended%20the%20copying%3A%20full",
		"\xff\xff\xff":         "not%20a%20message",
	} {
		if _, code, why := e.callUntilItEnds(question); code != "2" || !strings.Contains(why, want) {
			t.Errorf("%q: code %s, %q", question, code, why)
		}
	}
}

// TestCopyingIsOverWhenItsResponseGoes: what ends its reading must not come later.
func TestCopyingIsOverWhenItsResponseGoes(t *testing.T) {
	e := run(t, &Session{Dirs: map[string]Dir{"": {folder("a")}}})
	for range 500 {
		e.callUntilItEnds("\x08\x01\x18\x07")
	}
}

// callUntilItEnds makes a call that is not closed from this side.
func (e *engine) callUntilItEnds(question string) (n int64, code, why string) {
	e.t.Helper()
	questions, body := io.Pipe()
	defer questions.Close()
	go func() {
		out := stream{out: bufio.NewWriter(body)}
		_ = errors.Join(out.send([]byte(question)), out.out.Flush()) // it may have ended already
	}()
	r, err := e.http.Post("http://session/moby.filesync.v1.FileSync/DiffCopy", "application/grpc", questions)
	if err != nil {
		e.t.Fatal(err)
	}
	defer r.Body.Close()
	n, err = io.Copy(io.Discard, r.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return n, r.Trailer.Get("Grpc-Status"), r.Trailer.Get("Grpc-Message")
}

func TestReadTrace(t *testing.T) {
	vertex := putBytes(putBytes(putBytes(putBytes(nil, 1, "sha256:1"), 3, "[1/2] RUN x"), 5, "\x08\x01"), 7, "bad")
	status := putNumber(putNumber(putBytes(putBytes(nil, 1, "id"), 2, "sha256:1"), 4, 3), 5, 9)
	log := putBytes(putNumber(putBytes(nil, 1, "sha256:1"), 3, 1), 4, "said")
	got, err := ReadTrace(putBytes(putBytes(putBytes(nil, 1, vertex), 2, status), 3, log))
	if err != nil || len(got.Vertexes) != 1 || len(got.Statuses) != 1 || len(got.Logs) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if v := got.Vertexes[0]; v != (Vertex{Digest: "sha256:1", Name: "[1/2] RUN x", Error: "bad", Started: true}) {
		t.Errorf("%+v", v)
	}
	if s := got.Statuses[0]; s != (Status{ID: "id", Vertex: "sha256:1", Current: 3, Total: 9}) {
		t.Errorf("%+v", s)
	}
	if l := got.Logs[0]; l.Vertex != "sha256:1" || string(l.Text) != "said" {
		t.Errorf("%+v", l)
	}
}

func FuzzFields(f *testing.F) {
	f.Add([]byte("\x0a\x03abc\x10\x01"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		_, _ = ReadTrace(msg) // it must not panic
	})
}

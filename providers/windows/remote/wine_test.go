package remote

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers/windows/winrm"
)

// sandboxMachine is a real sandbox, and the real helper for it.
func sandboxMachine(t *testing.T, box *sandboxtest.Sandbox, https bool) Machine {
	t.Helper()
	m := Machine{WinRM: winrm.Config{Address: "127.0.0.1", Port: box.HTTPPort, User: box.User, Password: secret.Plain(box.Password)}}
	if https {
		m.WinRM.HTTPS, m.WinRM.Port, m.WinRM.Fingerprint = true, box.HTTPSPort, box.Fingerprint
	}
	return m
}

func TestOverWine(t *testing.T) {
	box := sandboxtest.Start(t)
	packed, sum, _ := sandboxtest.Helper(t)()
	for _, way := range []struct {
		name  string
		https bool
	}{{"HTTPS", true}, {"sealed HTTP", false}} {
		t.Run(way.name, func(t *testing.T) {
			m := sandboxMachine(t, box, way.https)
			m.HelperGzip, m.HelperSHA256 = packed, sum
			if way.name == "HTTPS" {
				look := m
				look.LookOnly = true
				if _, err := Connect(t.Context(), look); !errors.Is(err, ErrNoHelper) {
					t.Errorf("a look at a fresh machine: %v", err)
				}
			}
			began := time.Now()
			c := connectTo(t, m)
			t.Logf("connected after %s, %d bytes of helper", time.Since(began).Round(time.Millisecond), len(packed))
			t.Run("observe", func(t *testing.T) { observes(t, c) })
			t.Run("exec", func(t *testing.T) { executes(t, c) })
			t.Run("sftp", func(t *testing.T) { transfers(t, c) })
			_ = c.Close()
			began = time.Now()
			again := connectTo(t, m)
			t.Logf("connected again after %s", time.Since(began).Round(time.Millisecond))
			_ = again.Close()
		})
	}
}

func TestOverWineARebootIsNoticedAndSurvived(t *testing.T) {
	box := sandboxtest.Start(t)
	m := sandboxMachine(t, box, true)
	m.HelperGzip, m.HelperSHA256, _ = sandboxtest.Helper(t)()
	c := connectTo(t, m)
	began := time.Now()
	box.RestartContainer(t)
	select {
	case <-c.Done():
	case <-time.After(dead + keepalive + time.Second):
		t.Fatal("the connection's loss was not noticed")
	}
	t.Logf("lost %s after the restart began: %v", time.Since(began).Round(time.Millisecond), c.Wait())
	boot := c.BootID()
	m2 := sandboxMachine(t, box, true) // Docker may have published another port
	m2.HelperGzip, m2.HelperSHA256 = m.HelperGzip, m.HelperSHA256
	if again := connectTo(t, m2); again.BootID() == boot {
		t.Error("the boot id is the same after a reboot")
	}
}

func observes(t *testing.T, c *Conn) {
	s, err := c.SSH().NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Output(guestproto.CommandObserve)
	if err != nil {
		t.Fatal(err)
	}
	var o guestproto.Observation
	if err := json.Unmarshal(out, &o); err != nil || o.BootID != c.BootID() {
		t.Errorf("observed %s, %v", out, err)
	}
}

func executes(t *testing.T, c *Conn) {
	for _, tt := range []struct {
		line, out string
		code      int32
	}{
		{`cmd /c echo hello`, "hello", 0},
		{`cmd /c exit 3010`, "", 3010},
		{`cmd /c exit -1`, "", -1},
	} {
		s, err := c.SSH().NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Output(tt.line)
		code := 0
		var exit *ssh.ExitError
		if errors.As(err, &exit) {
			code, err = exit.ExitStatus(), nil
		}
		if err != nil || strings.TrimSpace(string(out)) != tt.out || int32(uint32(code)) != tt.code {
			t.Errorf("%s: %q, %d, %v", tt.line, out, int32(uint32(code)), err)
		}
	}
}

func transfers(t *testing.T, c *Conn) {
	files, err := sftp.NewClient(c.SSH(), sftp.UseConcurrentWrites(true))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = files.Close() }()
	want := make([]byte, 16<<20)
	_, _ = rand.Read(want)
	const name = "C:/windows/temp/remote-test.bin"
	began := time.Now()
	f, err := files.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadFrom(bytes.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	up := time.Since(began)
	began = time.Now()
	if f, err = files.Open(name); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := f.WriteTo(&got); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	_ = f.Close()
	down := time.Since(began)
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the file that came back differs")
	}
	mb := float64(len(want)) / 1e6
	t.Logf("SFTP: %.0f MB/s up, %.0f MB/s down", mb/up.Seconds(), mb/down.Seconds())
	if err := files.Remove(name); err != nil {
		t.Error(err)
	}
}

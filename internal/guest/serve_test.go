package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/carrier"
	"github.com/envctl/envctl/internal/guestproto"
)

func TestMain(m *testing.M) {
	if code, handled := asChild(); handled {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// asChild lets the test binary be the program that a test starts in the machine: the same on every
// system, with no shell's quoting in between.
func asChild() (code int, handled bool) {
	if code, handled := asService(); handled {
		return code, true
	}
	switch os.Getenv("GUEST_TEST_CHILD") {
	case "":
		return 0, false
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	case "code":
		fmt.Sscan(os.Getenv("GUEST_TEST_ARG"), &code)
	case "hang":
		fmt.Println("hanging")
		time.Sleep(time.Hour)
	case "listen":
		l, err := net.Listen("tcp", os.Getenv("GUEST_TEST_ARG"))
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		for {
			if _, err := l.Accept(); err != nil {
				panic(err)
			}
		}
	case "web":
		http.ListenAndServe("127.0.0.1:18081", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/die" {
				os.Exit(7)
			}
			w.Header().Set("Arg", os.Getenv("GUEST_TEST_ARG"))
		}))
	}
	return code, true
}

// dial serves a machine over two pipes, as WinRM's are, and gives a client on them.
func dial(t *testing.T, m *Machine) *ssh.Client {
	t.Helper()
	ctx := context.Background()
	upR, upW := pipe(t)
	downR, downW := pipe(t)
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, m, upR, downW, slog.New(slog.NewTextHandler(io.Discard, nil)))
		downW.Close()
	}()
	conn, greeting, err := carrier.Client(ctx, downR, upW)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(greeting.HostKey))
	if err != nil {
		t.Fatal(err)
	}
	sc, channels, requests, err := ssh.NewClientConn(conn, "guest", &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(key)})
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(sc, channels, requests)
	t.Cleanup(func() {
		client.Close()
		conn.Close()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the helper goes on after its pipes have ended")
		}
	})
	return client
}

func pipe(t *testing.T) (*os.File, *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func testMachine(t *testing.T) *Machine {
	plain := func(b []byte) ([]byte, error) { return b, nil }
	return &Machine{Dir: filepath.Join(t.TempDir(), "envctl"), BootID: "1", kinds: portableKinds(), seal: plain, unseal: plain,
		now: time.Now, restart: func() error { return errors.New("no restart in this test") }}
}

// session gives a session whose program is this test binary, doing what asChild says.
func session(t *testing.T, c *ssh.Client, child, arg string) *ssh.Session {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for k, v := range map[string]string{"GUEST_TEST_CHILD": child, "GUEST_TEST_ARG": arg} {
		if err := s.Setenv(k, v); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func self(t *testing.T) string {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return quoteArgs([]string{exe})
}

func TestExecCarriesBytesBothWays(t *testing.T) {
	s := session(t, dial(t, testMachine(t)), "cat", "")
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i ^ i>>8)
	}
	s.Stdin = bytes.NewReader(data)
	out, err := s.Output(self(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, data) {
		t.Fatalf("%d bytes came back for %d, or others", len(out), len(data))
	}
}

func TestExecGivesTheExitStatus(t *testing.T) {
	codes := []int{0, 1, 77}
	if runtime.GOOS == "windows" {
		codes = append(codes, 3010, -1073741510)
	}
	c := dial(t, testMachine(t))
	for _, code := range codes {
		err := session(t, c, "code", fmt.Sprint(code)).Run(self(t))
		got := 0
		var exit *ssh.ExitError
		if errors.As(err, &exit) {
			got = exit.ExitStatus()
		} else if err != nil {
			t.Fatal(err)
		}
		if int32(got) != int32(code) {
			t.Errorf("exit code %d came as %d", code, got)
		}
	}
}

func TestClosingTheChannelEndsTheTree(t *testing.T) {
	for _, how := range []string{"close", "signal"} {
		t.Run(how, func(t *testing.T) {
			c := dial(t, testMachine(t))
			s := session(t, c, "listen", "127.0.0.1:0")
			out, err := s.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			line := self(t)
			if runtime.GOOS == "windows" {
				line = `cmd /c "` + line + `"` // a grandchild, so that only its job can end it
			}
			if err := s.Start(line); err != nil {
				t.Fatal(err)
			}
			var port int
			if _, err := fmt.Fscan(out, &port); err != nil {
				t.Fatal(err)
			}
			if how == "close" {
				s.Close()
			} else {
				if err := s.Signal(ssh.SIGTERM); err != nil {
					t.Fatal(err)
				}
				var exit *ssh.ExitError
				if err := s.Wait(); !errors.As(err, &exit) || uint32(exit.ExitStatus()) != controlC {
					t.Errorf("ended with %v, want %#x", err, uint32(controlC))
				}
			}
			eventually(t, "the program is gone", func() bool {
				conn, err := c.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				if err != nil {
					return true
				}
				conn.Close()
				return false
			})
		})
	}
}

// eventually asks again until it is so, for at most 15 seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
		runtime.Gosched()
	}
}

func TestABackgroundProgramDoesNotHoldTheSession(t *testing.T) {
	s := session(t, dial(t, testMachine(t)), "hang", "")
	line := self(t) + " &"
	if runtime.GOOS == "windows" {
		line = `cmd /c "start /b "" ` + self(t) + `"`
	}
	out, err := s.Output(line)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "hanging") {
		t.Errorf("printed %q", out)
	}
}

func TestSFTPTakesBothFormsOfAPath(t *testing.T) {
	files, err := sftp.NewClient(dial(t, testMachine(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	dir := filepath.ToSlash(t.TempDir())
	forms := []string{dir}
	if runtime.GOOS == "windows" {
		forms = append(forms, "/"+dir)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for i, form := range forms {
		name := fmt.Sprintf("%s/deep/er/file%d", form, i)
		if err := files.MkdirAll(form + "/deep/er"); err != nil {
			t.Fatal(err)
		}
		f, err := files.Create(name + ".part")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadFrom(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := files.PosixRename(name+".part", name); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(fmt.Sprintf("%s/deep/er/file%d", dir, i))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if _, err := files.Stat(dir + "/nothing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file is %v", err)
	}
}

func TestObserveOnAnUntouchedMachine(t *testing.T) {
	m := testMachine(t)
	s, err := dial(t, m).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Output(guestproto.CommandObserve)
	if err != nil {
		t.Fatal(err)
	}
	var o guestproto.Observation
	if err := json.Unmarshal(out, &o); err != nil || o.BootID != "1" || o.Manifest != nil {
		t.Errorf("answered %s (%v)", out, err)
	}
	if _, err := os.Stat(m.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("observing made %s", m.Dir)
	}
}

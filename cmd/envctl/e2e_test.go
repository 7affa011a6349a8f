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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/envctl/envctl/internal/cli"
	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
)

// asEnvctl makes the test binary be envctl, so that tests run it as the process it is: with its own signals
// and its own death.
const asEnvctl = "ENVCTL_TEST_AS_ENVCTL"

func TestMain(m *testing.M) {
	if os.Getenv(asEnvctl) != "" {
		dir, err := os.Getwd()
		if err != nil {
			panic(err)
		}
		code := cli.Main(context.Background(), "0.0.0-test", os.Args[1:], cli.IO{
			In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv, Dir: dir,
		})
		if err := leaked(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines that nobody waited for:", err)
			code = 99
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// leaked gives what a command left running in its process. Nothing ends a read of standard input but its end, so nobody
// waits for those that do that alone; nor for the end of the forward's process, which is to outlive the command.
func leaked() error {
	const module = "github.com/envctl/envctl/"
	var known []goleak.Option
	for _, f := range []string{
		"internal/cli.(*app).ask.func1", "internal/cli.(*evaluator).console.func1",
		"providers/docker.(*Provider).exec.func1", "providers/windows.(*conn).exec.func1",
		"internal/forward.Process.start.func1",
	} {
		known = append(known, goleak.IgnoreAnyFunction(module+f))
	}
	return goleak.Find(known...)
}

// env is one folder with a spec, and the state folder and instance that go with it.
type env struct {
	t     *testing.T
	dir   string
	state string
	vars  []string
	// program is what runs as envctl; "" is this test.
	program string
	// seen collects all that envctl printed, for a search in it.
	seen bytes.Buffer
}

func newEnv(t *testing.T, vars ...string) *env {
	t.Helper()
	needEngine(t)
	sandboxtest.Warm(t)
	return newContainerEnv(t, vars...)
}

// newContainerEnv is newEnv for a spec without a Windows machine, which needs no sandbox.
func newContainerEnv(t *testing.T, vars ...string) *env {
	t.Helper()
	needEngine(t)
	root := t.TempDir()
	e := &env{t: t, dir: filepath.Join(root, "spec"), state: filepath.Join(root, "state"), vars: vars}
	if err := os.Mkdir(e.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("ENVCTL_TEST_KEEP") != "" {
			t.Logf("kept: %s", e.dir)
			return
		}
		e.run("down", "--volumes", "--keep-images")
	})
	return e
}

// needEngine fails where tests must not be skipped, and says what is missing where they may.
func needEngine(t *testing.T) {
	t.Helper()
	out, err := exec.Command("docker", "image", "inspect", "--format", "{{.Id}}", "debian:trixie-slim").CombinedOutput()
	if err == nil {
		return
	}
	why := "a Docker engine with debian:trixie-slim is needed; `make test` gets both: " + strings.TrimSpace(string(out))
	if os.Getenv("CI") != "" || os.Getenv("ENVCTL_TEST_REQUIRE") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func (e *env) command(args ...string) *exec.Cmd {
	cmd := exec.Command(cmp.Or(e.program, os.Args[0]), args...)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), asEnvctl+"=1", "ENVCTL_STATE_DIR="+e.state, "XDG_CONFIG_HOME="+e.state, "DBUS_SESSION_BUS_ADDRESS=")
	cmd.Env = append(cmd.Env, e.vars...)
	return cmd
}

// run gives what a command printed and its exit code.
func (e *env) run(args ...string) (stdout, stderr string, code int) {
	e.t.Helper()
	var out, errs bytes.Buffer
	cmd := e.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		e.t.Fatal(err)
	}
	e.seen.Write(out.Bytes())
	e.seen.Write(errs.Bytes())
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must is run for a command that has to succeed.
func (e *env) must(args ...string) string {
	e.t.Helper()
	out, errs, code := e.run(args...)
	if code != 0 {
		e.t.Fatalf("envctl %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// edit replaces text in a file of the spec.
func (e *env) edit(file, old, new string) {
	e.t.Helper()
	path := filepath.Join(e.dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		e.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		e.t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) write(file, text string) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, file), []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

// instance is the id that envctl gave this environment.
func (e *env) instance() string {
	e.t.Helper()
	var s struct{ Instance string }
	e.decode(&s, "status", "--json")
	return s.Instance
}

func (e *env) decode(v any, args ...string) {
	e.t.Helper()
	out := e.must(args...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		e.t.Fatalf("envctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (e *env) output(name string) string {
	e.t.Helper()
	return strings.TrimSpace(e.must("outputs", "--reveal", name))
}

type change struct {
	Address, Action, Cause string
	Values                 []value
	Layers                 []struct {
		Name, Action, Cause string
		Values              []value
	}
}

type value struct{ Name, Old, New string }

// changes gives what plan says that is not "none".
func (e *env) changes() []change {
	e.t.Helper()
	var p struct{ Changes []change }
	e.decode(&p, "plan", "--json")
	var changed []change
	for _, c := range p.Changes {
		if c.Action != "none" {
			changed = append(changed, c)
		}
	}
	return changed
}

// onlyChange gives the one change that plan may have.
func (e *env) onlyChange(address, action string) change {
	e.t.Helper()
	c := e.changes()
	if len(c) != 1 || c[0].Address != address || c[0].Action != action {
		e.t.Fatalf("the plan is %+v, not to %s %s alone", c, action, address)
	}
	return c[0]
}

type status struct {
	Resources []struct{ Address, State, Detail string }
	Wires     []struct{ From, To, Address, State, Detail string }
}

func (e *env) status() (s status) {
	e.t.Helper()
	e.decode(&s, "status", "--json")
	return s
}

func (s status) state(address string) string {
	for _, r := range s.Resources {
		if r.Address == address {
			return r.State
		}
	}
	return "absent"
}

func (s status) wire(to string) string {
	for _, w := range s.Wires {
		if w.To == to {
			return w.State
		}
	}
	return "absent"
}

// docker runs the docker command and gives the lines that it printed.
func docker(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return strings.Fields(strings.TrimSpace(string(out)))
}

func label(instance string) string { return "label=dev.envctl.instance=" + instance }

// left lists what the engine has of an instance.
func left(t *testing.T, instance string) (all []string) {
	t.Helper()
	for _, args := range [][]string{
		{"ps", "-aq", "--filter", label(instance)}, {"network", "ls", "-q", "--filter", label(instance)},
		{"volume", "ls", "-q", "--filter", label(instance)}, {"images", "-q", "--filter", label(instance)},
	} {
		for _, id := range docker(t, args...) {
			all = append(all, args[0]+" "+id)
		}
	}
	return all
}

// container gives the id of a running container of the instance.
func container(t *testing.T, instance, address string) string {
	t.Helper()
	ids := docker(t, "ps", "-aq", "--no-trunc", "--filter", label(instance), "--filter", "label=dev.envctl.address="+address)
	if len(ids) != 1 {
		t.Fatalf("%d containers are %s", len(ids), address)
	}
	return ids[0]
}

// eventually tries until ok says so; what it says else is in the failure.
func eventually(t *testing.T, within time.Duration, what string, ok func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		good, last := ok()
		if good {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s: %s", within, what, last)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func get(url string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = errors.New(r.Status + ": " + string(body))
	}
	return string(body), err
}

// sendHL7 sends one message in MLLP framing and gives the answer.
func sendHL7(address, message string) (string, error) {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte("\x0b" + message + "\x1c\r")); err != nil {
		return "", err
	}
	var answer []byte
	buf := make([]byte, 4096)
	for !bytes.HasSuffix(answer, []byte("\x1c\r")) {
		n, err := c.Read(buf)
		if err != nil {
			return string(answer), err
		}
		answer = append(answer, buf[:n]...)
	}
	return string(answer), nil
}

// pythonCommand runs a script with Debian's Python, which has its python3-winrm.
func pythonCommand(script string, args ...string) *exec.Cmd {
	return exec.Command("/usr/bin/python3", append([]string{"-c", script}, args...)...)
}

func withoutImages(rest []string) (without []string) {
	for _, r := range rest {
		if !strings.HasPrefix(r, "images") {
			without = append(without, r)
		}
	}
	return without
}

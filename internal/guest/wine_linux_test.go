package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pkg/sftp"

	"github.com/envctl/envctl/internal/carrier"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
	"github.com/envctl/envctl/internal/secret"
)

const (
	wine   = "/usr/lib/wine/wine64"
	driveC = "/opt/envctl/prefix/drive_c"
)

// TestOverWine runs this package's own tests, those of the Windows API among them, in a sandbox, and
// then the helper as envctl runs it.
func TestOverWine(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it needs a container with Wine")
	}
	box := sandboxtest.Start(t)
	dir := t.TempDir()
	build := func(out string, args ...string) string {
		t.Helper()
		out = filepath.Join(dir, out)
		cmd := exec.CommandContext(t.Context(), "go", append(args[:len(args)-1:len(args)-1], "-o", out, args[len(args)-1])...)
		cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, msg)
		}
		return out
	}
	tests := build("guest.test.exe", "test", "-c", ".")
	service := build("svc.exe", "build", "./testdata/svc/main.go")
	helper := build("envctl-guest.exe", "build", "../../cmd/envctl-guest")
	msi := makeMSI(t, dir)

	box.Exec(t, "mkdir", "-p", driveC+"/assets")
	for from, to := range map[string]string{tests: "/assets/guest.test.exe", service: "/assets/svc.exe", msi: "/assets/svc.msi", "testdata/test.pfx": "/assets/test.pfx"} {
		copyIn(t, box, from, driveC+to)
	}
	t.Run("tests", func(t *testing.T) {
		out := box.Exec(t, "sh", "-c", `cd `+driveC+`/assets && GUEST_TEST_ASSETS='C:\assets' `+wine+` guest.test.exe -test.v -test.timeout 180s -test.skip TestKilledAnywhere 2>&1 || echo FAILED`)
		if strings.Contains(out, "FAILED") || !strings.Contains(out, "PASS: TestPackageAndServiceLayers") {
			t.Error(out)
		}
	})
	t.Run("helper", func(t *testing.T) { useHelper(t, box, helper, msi) })
	t.Run("restart", func(t *testing.T) { restartMachine(t, box, helper) })
}

// makeMSI builds the test's package with Debian's wixl.
func makeMSI(t *testing.T, dir string) string {
	t.Helper()
	if _, err := exec.LookPath("wixl"); err != nil {
		if os.Getenv("CI") != "" || os.Getenv("ENVCTL_TEST_REQUIRE") != "" {
			t.Fatal("no wixl: apt install wixl")
		}
		t.Skip("no wixl: apt install wixl")
	}
	wxs, err := os.ReadFile("testdata/svc/svc.wxs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "svc.wxs"), wxs, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "wixl", "-a", "x64", "-o", "svc.msi", "svc.wxs")
	cmd.Dir = dir
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("wixl: %v\n%s", err, msg)
	}
	return filepath.Join(dir, "svc.msi")
}

func copyIn(t *testing.T, box *sandboxtest.Sandbox, from, to string) {
	t.Helper()
	if msg, err := exec.CommandContext(t.Context(), "docker", "cp", from, box.ContainerID+":"+to).CombinedOutput(); err != nil {
		t.Fatalf("docker cp: %v\n%s", err, msg)
	}
}

// helperDir is where envctl uploads a helper.
const helperDir = driveC + "/ProgramData/envctl/bin/0123456789abcdef"

// startHelper places the helper and speaks with it over its pipes. The last of what it gives ends it.
func startHelper(t *testing.T, box *sandboxtest.Sandbox, helper string) (*ssh.Client, guestproto.Greeting, func()) {
	t.Helper()
	box.Exec(t, "mkdir", "-p", helperDir)
	copyIn(t, box, helper, helperDir+"/envctl-guest.exe")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, "docker", "exec", "-i", "-e", "WINEDLLOVERRIDES=shutdown.exe=n", box.ContainerID, wine, helperDir+"/envctl-guest.exe", "serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, greeting, err := carrier.Client(ctx, out, in)
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
	return client, greeting, func() {
		defer cancel()
		client.Close()
		conn.Close()
		cmd.Wait()
		if ctx.Err() != nil {
			t.Error("the helper goes on after the end of its input")
		}
	}
}

// useHelper applies a stack with the helper and takes it down.
func useHelper(t *testing.T, box *sandboxtest.Sandbox, helper, msi string) {
	client, greeting, end := startHelper(t, box, helper)
	if greeting.DataDir != `C:\ProgramData\envctl` || greeting.BootID == "" {
		t.Errorf("greeting %+v", greeting)
	}
	sum, err := fileSHA256(msi)
	if err != nil {
		t.Fatal(err)
	}
	upload(t, client, msi, guestproto.CacheFile(greeting.DataDir, sum))
	stack := numbered(
		guestproto.Layer{Kind: "package", Name: "svc", Package: &guestproto.Package{Source: guestproto.Source{SHA256: sum, Name: "svc.msi"}}},
		guestproto.Layer{Kind: "service", Name: "EnvctlTestSvc", Service: &guestproto.Service{State: "running",
			Env: map[string]secret.Text{"TOKEN": {Value: planted, Sensitive: true}}}},
		guestproto.Layer{Kind: "file", Name: `C:\envctl-test\secret.txt`, File: &guestproto.File{Content: &secret.Text{Value: planted, Sensitive: true}}},
	)
	ask(t, client, guestproto.CommandApply, guestproto.ApplyRequest{Owner: testOwner, Layers: stack})
	if found := box.Exec(t, "sh", "-c", "grep -rl "+planted+" "+driveC+"/ProgramData/envctl || true"); found != "" {
		t.Errorf("the secret is in %s", found)
	}
	var check guestproto.CheckResult
	json.Unmarshal(ask(t, client, guestproto.CommandCheck, guestproto.CheckRequest{HTTP: &guestproto.HTTPCheck{Port: 18080, Path: "/"}}), &check)
	if !check.Ready {
		t.Errorf("not ready: %s", check.Detail)
	}
	var o guestproto.Observation
	json.Unmarshal(ask(t, client, guestproto.CommandObserve, nil), &o)
	if o.Manifest == nil || len(o.Manifest.Layers) != 3 || len(o.Drifted) != 0 {
		t.Errorf("observed %+v", o)
	}
	ask(t, client, guestproto.CommandApply, guestproto.ApplyRequest{Owner: testOwner, Forget: true})

	// The end of its input ends the helper, and then nothing of it is left.
	end()
	eventually(t, "nothing of the helper is left", func() bool {
		return box.Exec(t, "sh", "-c", "ls -d "+driveC+"/ProgramData/envctl "+driveC+"/envctl-test "+driveC+"/windows/Temp/envctl* '"+driveC+"/Program Files/EnvctlTest' 2>/dev/null || true") == ""
	})
}

// restartMachine applies a stack with a restart in its middle.
func restartMachine(t *testing.T, box *sandboxtest.Sandbox, helper string) {
	stack := numbered(
		guestproto.Layer{Kind: "env", Name: "ENVCTL_BEFORE", Env: &guestproto.Env{Value: secret.Plain("1")}},
		guestproto.Layer{Kind: "reboot", Name: "now", Reboot: &guestproto.Reboot{When: "always"}},
		guestproto.Layer{Kind: "env", Name: "ENVCTL_AFTER", Env: &guestproto.Env{Value: secret.Plain("2")}},
	)
	client, before, end := startHelper(t, box, helper)
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(guestproto.ApplyRequest{Owner: testOwner, Layers: stack})
	if err != nil {
		t.Fatal(err)
	}
	s.Stdin = bytes.NewReader(b)
	out, _ := s.Output(guestproto.CommandApply) // the machine may be gone before the answer's end
	if !strings.Contains(string(out), `"type":"reboot"`) || strings.Contains(string(out), "ENVCTL_AFTER") {
		t.Fatalf("events:\n%s", out)
	}
	client.Wait() // the restart ends the helper
	end()
	box.WaitReady(t)

	client, after, end := startHelper(t, box, helper)
	defer end()
	if after.BootID == before.BootID {
		t.Errorf("the boot id is still %s", after.BootID)
	}
	events := ask(t, client, guestproto.CommandApply, guestproto.ApplyRequest{Owner: testOwner, Layers: stack, Keep: 1})
	if strings.Contains(string(events), "undo") || !strings.Contains(string(events), `"done","layer":"reboot.now"`) {
		t.Errorf("events:\n%s", events)
	}
	var o guestproto.Observation
	if err := json.Unmarshal(ask(t, client, guestproto.CommandObserve, nil), &o); err != nil || len(o.Manifest.Layers) != 3 {
		t.Errorf("observed %+v (%v)", o, err)
	}
	ask(t, client, guestproto.CommandApply, guestproto.ApplyRequest{Owner: testOwner, Forget: true})
}

func upload(t *testing.T, client *ssh.Client, from, to string) {
	t.Helper()
	files, err := sftp.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.MkdirAll(filepath.Dir(to)); err != nil {
		t.Fatal(err)
	}
	f, err := files.Create(to + ".part")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := files.PosixRename(to+".part", to); err != nil {
		t.Fatal(err)
	}
}

// ask sends one JSON value to one of the helper's commands and gives what it answers.
func ask(t *testing.T, client *ssh.Client, name string, in any) []byte {
	t.Helper()
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	s.Stdin = strings.NewReader(string(b))
	out, err := s.Output(name)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	if strings.Contains(string(out), planted) {
		t.Errorf("%s: a secret in %s", name, out)
	}
	return out
}

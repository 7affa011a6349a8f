package sandboxtest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/masterzen/winrm"

	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
	"github.com/envctl/envctl/internal/sandbox/winside"
	ours "github.com/envctl/envctl/providers/windows/winrm"
)

// prog is where the tests' Windows program is, in Windows.
const prog = `C:\test\program.exe`

// install builds the tests' program, puts it into the prefix and gives its content.
func install(t *testing.T, box *sandboxtest.Sandbox) []byte {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "program.exe")
	cmd := exec.Command("go", "build", "-o", exe, "./testdata/program")
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the test's program: %v\n%s", err, out)
	}
	box.Exec(t, "mkdir", "-p", "/opt/envctl/prefix/drive_c/test")
	if out, err := exec.Command("docker", "cp", exe, box.ContainerID+":/opt/envctl/prefix/drive_c/test/program.exe").CombinedOutput(); err != nil {
		t.Fatalf("copying the test's program: %v\n%s", err, out)
	}
	content, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func client(t *testing.T, box *sandboxtest.Sandbox) *winrm.Client {
	t.Helper()
	// With a larger envelope this client sends more than the server takes, and sees no fault.
	c, err := winrm.NewClientWithParameters(winrm.NewEndpoint("127.0.0.1", box.HTTPSPort, true, false, box.Certificate, nil, nil, time.Minute),
		box.User, box.Password, winrm.NewParameters("PT60S", "en-US", 153600))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, c *winrm.Client, line string) (stdout, stderr string, code uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, errs, n, err := c.RunWithContextWithString(ctx, line, "")
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out, errs, uint32(n)
}

// processes counts what runs the tests' program with that argument.
func processes(t *testing.T, box *sandboxtest.Sandbox, arg string) int {
	t.Helper()
	out := box.Exec(t, "sh", "-c", `for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline 2>/dev/null; echo; done`)
	n := 0
	for line := range strings.Lines(out) {
		if strings.Contains(line, "program.exe") && strings.Contains(line, " "+arg) && !strings.Contains(line, "cmd.exe") {
			n++
		}
	}
	return n
}

// eventually checks until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

func TestWindows(t *testing.T) {
	box := sandboxtest.Start(t)
	exe := install(t, box)
	c := client(t, box)
	t.Run("exit codes", func(t *testing.T) { testExitCodes(t, c) })
	t.Run("what Wine lacks", func(t *testing.T) { testStubs(t, c) })
	t.Run("the account", func(t *testing.T) { testAccount(t, c, box) })
	t.Run("shell options", func(t *testing.T) { testShellOptions(t, box) })
	t.Run("a command line too long", func(t *testing.T) { testTooLong(t, c) })
	t.Run("pipes", func(t *testing.T) { testPipes(t, box) })
	t.Run("terminate kills the tree", func(t *testing.T) { testKillTree(t, c, box) })
	t.Run("left running", func(t *testing.T) { testLeftRunning(t, c, box) })
	t.Run("bootstrap", func(t *testing.T) { testBootstrap(t, c, exe) })
	t.Run("reboot", func(t *testing.T) { testReboot(t, c, box) })
	t.Run("the container restarts", func(t *testing.T) { testRestart(t, box) })
}

func testExitCodes(t *testing.T, c *winrm.Client) {
	for _, want := range []uint32{0, 1, 255, 256, 3010, 0x80070005, 0xffffffff} {
		if _, stderr, code := run(t, c, fmt.Sprintf("%s exit %d", prog, want)); code != want {
			t.Errorf("exit %d came as %d (%s)", want, code, stderr)
		}
	}
	for line, want := range map[string]uint32{"net start": 0, "net user": 0, "net user x y /add": 50, "net localgroup": 50} {
		if stdout, stderr, code := run(t, c, line); code != want {
			t.Errorf("%s: exit %d, %q %q", line, code, stdout, stderr)
		}
	}
	if _, stderr, code := run(t, c, "nosuchprogram /x"); code != 9009 || stderr == "" {
		t.Errorf("a missing program: exit %d, %q", code, stderr)
	}
}

func testStubs(t *testing.T, c *winrm.Client) {
	ways := []string{""}
	// Not every image has 32-bit programs: see the Dockerfile.
	if _, _, code := run(t, c, `C:\windows\syswow64\cmd.exe /c exit 7`); code == 7 {
		ways = append(ways, `C:\windows\syswow64\cmd.exe /c `)
	}
	for _, name := range winside.Stubs() {
		for _, way := range ways {
			via := name
			if way != "" {
				via = way + name + ".exe"
			}
			_, stderr, code := run(t, c, via+" /query")
			if code == 0 || stderr == "" {
				t.Errorf("%s: exit %d, %q", via, code, stderr)
			}
			if shell := name == "powershell" || name == "pwsh"; shell != (code == 9009) {
				t.Errorf("%s: exit %d, %q", via, code, stderr)
			}
		}
	}
}

func testAccount(t *testing.T, c *winrm.Client, box *sandboxtest.Sandbox) {
	stdout, _, _ := run(t, c, "echo %USERNAME% %COMPUTERNAME% %ProgramData% %PROCESSOR_ARCHITECTURE%& hostname & whoami")
	want := "Administrator " + box.Host + ` C:\ProgramData AMD64` + "\r\n" + box.Host + "\r\n" + box.Host + `\Administrator`
	if !strings.HasPrefix(stdout, want) {
		t.Errorf("got %q, want %q", stdout, want)
	}
}

// testShellOptions tries what a client may ask of a shell: code page, folder, environment.
func testShellOptions(t *testing.T, box *sandboxtest.Sandbox) {
	c := ourClient(t, box, true)
	shell, err := c.Shell(t.Context(), ours.ShellOptions{WorkingDir: `%SystemRoot%\system32`, Env: map[string]string{"ENVCTL_A": "b & c"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		line string
		skip bool
		want string
	}{
		{"echo Müller €", false, "Müller €\r\n"},
		{"cd", false, "C:\\windows\\system32\r\n"},
		{"set ENVCTL_A", false, "ENVCTL_A=b & c\r\n"},
		{"hostname.exe", true, box.Host + "\r\n"},
	} {
		cmd, err := shell.Start(t.Context(), tt.line, ours.CommandOptions{SkipCmdShell: tt.skip})
		if err != nil {
			t.Fatalf("%s: %v", tt.line, err)
		}
		go func() { _, _ = io.Copy(io.Discard, cmd.Stderr()) }() // ends with the command
		out, err := io.ReadAll(cmd.Stdout())
		if err != nil || string(out) != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.line, out, err, tt.want)
		}
		if err := cmd.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := shell.Start(t.Context(), "nosuchprogram.exe", ours.CommandOptions{SkipCmdShell: true}); err == nil {
		t.Error("without cmd.exe a missing program is a fault, but it started")
	}
}

func testTooLong(t *testing.T, c *winrm.Client) {
	_, stderr, code := run(t, c, "echo "+strings.Repeat("x", 8191))
	if code == 0 || !strings.Contains(stderr, "too long") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

package sandboxtest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/masterzen/winrm"

	"github.com/envctl/envctl/internal/bootstrap"
	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
	"github.com/envctl/envctl/internal/sandbox/winside"
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
	u, err := url.Parse(box.HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	c, err := winrm.NewClientWithParameters(winrm.NewEndpoint(u.Hostname(), port, true, false, box.Certificate, nil, nil, time.Minute),
		box.User, box.Password, winrm.NewParameters("PT60S", "en-US", 512000))
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
	t.Run("a command line too long", func(t *testing.T) { testTooLong(t, c) })
	t.Run("pipes", func(t *testing.T) { testPipes(t, c) })
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
	if _, stderr, code := run(t, c, "nosuchprogram /x"); code != 9009 || stderr == "" {
		t.Errorf("a missing program: exit %d, %q", code, stderr)
	}
}

func testStubs(t *testing.T, c *winrm.Client) {
	for _, name := range winside.Stubs() {
		for _, via := range []string{name, name + ".exe", `C:\windows\syswow64\cmd.exe /c ` + name} {
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

func testTooLong(t *testing.T, c *winrm.Client) {
	_, stderr, code := run(t, c, "echo "+strings.Repeat("x", 8191))
	if code == 0 || !strings.Contains(stderr, "too long") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// testPipes sends every value of a byte and 64 MiB through a command and back.
func testPipes(t *testing.T, c *winrm.Client) {
	data := make([]byte, 64<<20)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	for i := range 256 {
		data[i] = byte(i)
	}
	back := sha256.New()
	begun := time.Now()
	code, err := c.RunWithContextWithInput(t.Context(), prog+" cat", back, io.Discard, bytes.NewReader(data))
	took := time.Since(begun)
	if err != nil || code != 0 {
		t.Fatalf("exit %d, %v", code, err)
	}
	if sum := sha256.Sum256(data); !bytes.Equal(back.Sum(nil), sum[:]) {
		t.Fatal("what came back is not what was sent")
	}
	t.Logf("64 MiB there and back in %v: %.1f MB/s", took.Round(time.Millisecond), 64*1.048576/took.Seconds())
}

// begin starts a command and waits for its first line.
func begin(t *testing.T, c *winrm.Client, line string) (*winrm.Shell, *winrm.Command) {
	t.Helper()
	shell, err := c.CreateShell()
	if err != nil {
		t.Fatal(err)
	}
	command, err := shell.ExecuteWithContext(t.Context(), line)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(command.Stdout, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	return shell, command
}

func testKillTree(t *testing.T, c *winrm.Client, box *sandboxtest.Sandbox) {
	shell, command := begin(t, c, prog+" tree 2")
	defer shell.Close()
	if n := processes(t, box, "tree"); n != 3 {
		t.Fatalf("%d processes run, want 3", n)
	}
	if err := command.Close(); err != nil { // Signal terminate
		t.Fatal(err)
	}
	eventually(t, "the tree is dead", func() bool { return processes(t, box, "tree") == 0 })
}

// testLeftRunning holds what a command leaves behind to Windows' way: the command is over, and
// what it started lives as long as the shell.
func testLeftRunning(t *testing.T, c *winrm.Client, box *sandboxtest.Sandbox) {
	shell, err := c.CreateShell()
	if err != nil {
		t.Fatal(err)
	}
	command, err := shell.ExecuteWithContext(t.Context(), "start /b "+prog+" tree 0 & exit 7")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, command.Stdout) }() // ends with the command
	command.Wait()
	if command.ExitCode() != 7 {
		t.Fatalf("exit %d", command.ExitCode())
	}
	eventually(t, "the program runs", func() bool { return processes(t, box, "tree") == 1 })
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	if n := processes(t, box, "tree"); n != 1 {
		t.Fatalf("%d processes run, want 1 until the shell goes", n)
	}
	if err := shell.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is dead", func() bool { return processes(t, box, "tree") == 0 })
}

// testBootstrap uploads a program with our one PowerShell command and runs it.
func testBootstrap(t *testing.T, c *winrm.Client, exe []byte) {
	sum := sha256.Sum256(exe)
	header, err := bootstrap.Header(sum, `%ProgramData%\envctl\bin\`+hex.EncodeToString(sum[:8])+`\program.exe`)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(exe); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var input strings.Builder
	input.WriteString(header + "\r\n")
	for data := packed.Bytes(); len(data) > 0; {
		n := min(len(data), bootstrap.LineBytes)
		input.WriteString(bootstrap.Line(data[:n]) + "\r\n")
		data = data[n:]
	}
	input.WriteString(bootstrap.End + "\r\n")
	hexSum := hex.EncodeToString(sum[:])
	for _, want := range []string{"need " + hexSum + "\r\nok " + hexSum + "\r\n", "have " + hexSum + "\r\n"} {
		stdout, stderr, code, err := c.RunWithContextWithString(t.Context(), bootstrap.Command(), input.String())
		if err != nil || code != 0 || stdout != want {
			t.Fatalf("got %q, %q, exit %d, %v; want %q", stdout, stderr, code, err, want)
		}
	}
	line := `"%ProgramData%\envctl\bin\` + hex.EncodeToString(sum[:8]) + `\program.exe" exit 42`
	if _, stderr, code := run(t, c, line); code != 42 {
		t.Fatalf("the uploaded program: exit %d, %q", code, stderr)
	}
	broken := strings.Replace(input.String(), hexSum, strings.Repeat("0", 64), 1)
	_, stderr, code, err := c.RunWithContextWithString(t.Context(), bootstrap.Command(), broken)
	if err != nil || code == 0 || !strings.Contains(stderr, "antivirus") {
		t.Fatalf("a wrong sha256: exit %d, %q, %v", code, stderr, err)
	}
}

func testReboot(t *testing.T, c *winrm.Client, box *sandboxtest.Sandbox) {
	if stdout, stderr, code := run(t, c, `sc create EnvctlTest binPath= "`+prog+` service" start= auto`); code != 0 {
		t.Fatalf("sc create: exit %d, %q %q", code, stdout, stderr)
	}
	if stdout, stderr, code := run(t, c, "sc start EnvctlTest"); code != 0 {
		t.Fatalf("sc start: exit %d, %q %q", code, stdout, stderr)
	}
	shell, _ := begin(t, c, prog+" tree 0")
	before, _, _ := run(t, c, prog+" bootid")
	if again, _, _ := run(t, c, prog+" bootid"); again != before {
		t.Fatalf("the boot id changes by itself: %q, %q", before, again)
	}
	if _, stderr, code := run(t, c, "shutdown /r /t 60"); code != 0 {
		t.Fatalf("shutdown /r /t 60: exit %d, %q", code, stderr)
	}
	if _, stderr, code := run(t, c, "shutdown /a"); code != 0 {
		t.Fatalf("shutdown /a: exit %d, %q", code, stderr)
	}
	reboot(t, c, box, before)
	if err := shell.Close(); err == nil {
		if _, err := shell.ExecuteWithContext(t.Context(), "ver"); err == nil {
			t.Error("a shell survived the reboot")
		}
	}
	if n := processes(t, box, "tree"); n != 0 {
		t.Errorf("%d processes survived the reboot", n)
	}
	eventually(t, "the service runs again", func() bool {
		stdout, _, _ := run(t, c, "sc query EnvctlTest")
		return strings.Contains(stdout, "RUNNING")
	})
}

// reboot asks for one and waits until the boot id is another.
func reboot(t *testing.T, c *winrm.Client, box *sandboxtest.Sandbox, before string) {
	t.Helper()
	begun := time.Now()
	_, _, _, _ = c.RunWithString("shutdown /r /t 0", "") // the connection may drop before the answer
	eventually(t, "the boot id changes", func() bool {
		box.WaitReady(t)
		after, _, _, err := c.RunWithString(prog+" bootid", "")
		return err == nil && after != "" && after != before
	})
	t.Logf("rebooted in %v", time.Since(begun).Round(time.Millisecond))
}

func testRestart(t *testing.T, box *sandboxtest.Sandbox) {
	c := client(t, box)
	before, _, _ := run(t, c, prog+" bootid")
	run(t, c, `echo kept> C:\test\kept.txt`)
	box.RestartContainer(t)
	c = client(t, box)
	if after, _, _ := run(t, c, prog+" bootid"); after == before || after == "" {
		t.Errorf("the boot id did not change: %q, %q", before, after)
	}
	if stdout, _, _ := run(t, c, `type C:\test\kept.txt`); !strings.HasPrefix(stdout, "kept") {
		t.Errorf("the file is gone: %q", stdout)
	}
	eventually(t, "the service runs again", func() bool {
		stdout, _, _ := run(t, c, "sc query EnvctlTest")
		return strings.Contains(stdout, "RUNNING")
	})
}

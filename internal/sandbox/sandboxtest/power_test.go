package sandboxtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/masterzen/winrm"

	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
)

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

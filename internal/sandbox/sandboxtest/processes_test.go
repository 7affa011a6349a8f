package sandboxtest_test

import (
	"io"
	"testing"

	"github.com/masterzen/winrm"

	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
)

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

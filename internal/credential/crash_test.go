package credential

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A process that does nothing but save is killed at whatever it is doing; what it said was saved has to be there.
func TestKilledWhileSaving(t *testing.T) {
	if dir := os.Getenv("CREDENTIAL_TEST_DIR"); dir != "" {
		for i := 0; ; i++ {
			if err := Open(dir, Options{}).Save(t.Context(), entry("db", fmt.Sprint(planted, i))); err != nil {
				t.Fatal(err)
			}
			fmt.Println("saved")
		}
	}
	root, dir := state(t)
	for kill := range 10 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileSaving$")
		cmd.Env = append(os.Environ(), "CREDENTIAL_TEST_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n <= kill && lines.Scan(); n++ {
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // an error: it was killed

		s := Open(dir, Options{})
		if _, there, err := s.Lookup("db"); !there || err != nil {
			t.Fatalf("after kill %d: %v, %v", kill, there, err)
		}
		grep(t, root, planted)
	}
	if err := Open(dir, Options{}).DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

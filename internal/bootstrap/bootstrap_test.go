package bootstrap

import (
	"strings"
	"testing"
)

func TestCommandFitsCmd(t *testing.T) {
	c := Command()
	if len(c) >= 8191-len("cmd.exe /C ") {
		t.Fatalf("the command has %d characters; cmd.exe takes 8191", len(c))
	}
	if c != Command() {
		t.Fatal("the command's text is not constant")
	}
	if strings.ContainsAny(c, "\"%&|<>^!\r\n") {
		t.Fatal("the command has characters that cmd.exe would read")
	}
	t.Logf("%d characters", len(c))
}

func TestHeaderRefusesWhatBreaksTheLine(t *testing.T) {
	for _, bad := range []string{"", "a\nb", " a", "a "} {
		if h, err := Header([32]byte{}, bad); err == nil {
			t.Errorf("Header(%q) = %q", bad, h)
		}
	}
}

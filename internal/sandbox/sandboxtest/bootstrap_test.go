package sandboxtest_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/masterzen/winrm"

	"github.com/envctl/envctl/internal/bootstrap"
)

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

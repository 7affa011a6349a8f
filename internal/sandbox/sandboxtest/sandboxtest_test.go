package sandboxtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/sandbox/sandboxtest"
)

// pywinrm runs testdata/run.py: Debian's python3-winrm, unchanged, against the sandbox.
type pywinrm struct {
	box       *sandboxtest.Sandbox
	transport string // basic, ntlm, sealed
}

type result struct {
	Code   uint32 `json:"code"`
	Out    string `json:"out"`
	Err    string `json:"err"`
	Millis int    `json:"ms"`
}

func (p pywinrm) run(t *testing.T, lines ...string) []result {
	t.Helper()
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import winrm").CombinedOutput(); err != nil {
		message := "pywinrm is missing: apt install python3-winrm: " + string(out)
		if os.Getenv("CI") != "" || os.Getenv("ENVCTL_TEST_REQUIRE") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	in, err := json.Marshal(map[string]any{
		"https": p.box.HTTPS, "http": p.box.HTTP, "user": p.box.User, "password": p.box.Password,
		"transport": p.transport, "commands": lines,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "testdata/run.py")
	// The environment's bundles of certificates would overrule what run.py says.
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=testdata/openssl.cnf", "REQUESTS_CA_BUNDLE=", "CURL_CA_BUNDLE=")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pywinrm over %s: %v\n%s", p.transport, err, stderr.String())
	}
	var results []result
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("reading the results: %v\n%s", err, out)
	}
	return results
}

func TestPywinrm(t *testing.T) {
	box := sandboxtest.Start(t)
	for _, transport := range []string{"basic", "ntlm", "sealed"} {
		t.Run(transport, func(t *testing.T) {
			got := pywinrm{box, transport}.run(t, "ver", "exit 3010", "echo out& echo err>&2", "nosuchprogram", "exit -1")
			for i, want := range []struct {
				code     uint32
				out, err string
			}{
				{0, "Microsoft Windows 10.0", ""},
				{3010, "", ""},
				{0, "out\r\n", "err"},
				{9009, "", "nosuchprogram"},
				{0xffffffff, "", ""},
			} {
				if got[i].Code != want.code || !strings.Contains(got[i].Out, want.out) || !strings.Contains(got[i].Err, want.err) {
					t.Errorf("%d: got %+v, want %+v", i, got[i], want)
				}
				t.Logf("%+v", got[i])
			}
		})
	}
}

package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMachineOfOnesOwn sets up a machine that envctl did not make and takes it down again: nothing of it may be
// left there. The machine is what `envctl sandbox` runs, on the host's loopback, where only the host reaches it.
func TestMachineOfOnesOwn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	box := e.command("sandbox", "--json")
	out, err := box.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	box.Stderr = &errs
	if err := box.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = box.Process.Signal(os.Interrupt)
		if err := box.Wait(); err != nil && box.ProcessState.ExitCode() != 0 {
			t.Errorf("envctl sandbox: %v\n%s", err, errs.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("envctl sandbox: %v\n%s", err, errs.String())
	}
	var machine struct{ HTTPS, HTTP, Username, Password, Fingerprint string }
	if err := json.Unmarshal([]byte(line), &machine); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(machine.HTTPS)
	if err != nil {
		t.Fatal(err)
	}

	e.vars = append(e.vars, "BOX_USER="+machine.Username, "BOX_PASSWORD="+machine.Password)
	e.write("env.envctl.hcl", fmt.Sprintf(`
environment "own" {}

variable "machine" { type = string }

credential "box" {
  env {
    username = "BOX_USER"
    password = "BOX_PASSWORD"
  }
}

container "clock" {
  image   = "debian:trixie-slim"
  command = ["perl", "-MIO::Socket::INET", "-e", "$s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000, ReuseAddr => 1) or die; while ($c = $s->accept) { print $c qq(tick\n); close $c }"]
  port "tcp" { guest = 7000 }
  ready {
    tcp { port = "tcp" }
  }
}

windows "box" {
  source "host" { address = var.machine }
  winrm {
    credential  = credential.box
    port        = %s
    fingerprint = "%s"
  }
  env "CLOCK" { value = container.clock.port.tcp.address }
  registry "HKLM\\SOFTWARE\\Own\\Deep" {
    values = { Clock = container.clock.port.tcp.port }
  }
  file "C:\\Own\\note.txt" { content = "hello" }
}
`, at.Port(), machine.Fingerprint))
	machineVar := "machine=" + at.Hostname()
	e.must("up", "--var", machineVar)
	t.Logf("up:\n%s", e.seen.String())

	e2 := func(command ...string) string {
		t.Helper()
		return e.must(append([]string{"exec", "--var", machineVar, "windows.box", "--"}, command...)...)
	}
	if got := e2("cmd", "/c", "type", `C:\Own\note.txt`); !strings.Contains(got, "hello") {
		t.Errorf("the note is %q", got)
	}
	if got := e2("reg", "query", `HKLM\SOFTWARE\Own\Deep`, "/v", "Clock"); !strings.Contains(got, "0x1b58") {
		t.Errorf("the registry has %q", got)
	}
	if _, errs, code := e.run("plan", "--detailed-exitcode", "--var", machineVar); code != 0 {
		t.Errorf("a plan after up: exit code %d\n%s", code, errs)
	}
	out2 := e.must("status", "--json", "--var", machineVar)
	if !strings.Contains(out2, `{"from":"windows.box","to":"container.clock.port.tcp","address":"127.0.0.1:7000","state":"up"`) {
		t.Errorf("status: %s", out2)
	}
	// The spec is gone; what exists says itself what it is.
	instance := e.instanceOf(out2)
	if err := os.Remove(filepath.Join(e.dir, "env.envctl.hcl")); err != nil {
		t.Fatal(err)
	}
	e.must("down", "--volumes", "--keep-images", "--name", instance)
	if rest := withoutImages(left(t, instance)); len(rest) > 0 {
		t.Errorf("left on the engine: %q", rest)
	}

	// The machine is asked through a second environment, since the first has gone.
	// What it trusts the machine by is the user's configuration.
	after := newEnv(t, e.vars...)
	after.write("machine.pem", certificateOf(t, at.Host))
	after.userConfig("network { ca_file = \"" + filepath.Join(after.dir, "machine.pem") + "\" }\n")
	after.write("env.envctl.hcl", fmt.Sprintf(`
environment "after" {}
credential "box" {
  env {
    username = "BOX_USER"
    password = "BOX_PASSWORD"
  }
}
windows "box" {
  source "host" { address = "localhost" } # which its certificate names
  winrm {
    credential = credential.box
    port       = %s
    https      = true
  }
}
`, at.Port()))
	after.must("up")
	seen := after.must("exec", "windows.box", "--", "cmd", "/c",
		`(reg query HKLM\SOFTWARE\Own 2>nul || echo no key) & (if exist C:\Own (echo folder) else (echo no folder)) & echo CLOCK=%CLOCK% & exit 0`)
	if !strings.Contains(seen, "no key") || !strings.Contains(seen, "no folder") || !strings.Contains(seen, "CLOCK=%CLOCK%") {
		t.Errorf("left on the machine: %s", seen)
	}
	after.must("down", "--volumes", "--keep-images")
	e.expectNothingLeft(machine.HTTPS, machine.Username, machine.Password)
}

// certificateOf gives what a server shows, PEM.
func certificateOf(t *testing.T, address string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw}))
}

// instanceOf digs the instance's name out of what status --json printed.
func (e *env) instanceOf(status string) string {
	e.t.Helper()
	var s struct{ Instance string }
	if err := json.Unmarshal([]byte(status), &s); err != nil {
		e.t.Fatal(err)
	}
	return s.Instance
}

// expectNothingLeft looks at the machine over WinRM alone, with a client that is not ours.
func (e *env) expectNothingLeft(endpoint, user, password string) {
	e.t.Helper()
	const script = `
import os, sys, warnings
warnings.simplefilter("ignore")
import winrm
s = winrm.Session(sys.argv[1], auth=(os.environ["U"], os.environ["P"]), transport="basic", server_cert_validation="ignore")
r = s.run_cmd("cmd", ["/c", "if exist C:\\ProgramData\\envctl (dir /s /b C:\\ProgramData\\envctl) else (echo nothing)"])
print(r.std_out.decode())
`
	eventually(e.t, 30*time.Second, "the helper's folder goes with the helper", func() (bool, string) {
		cmd := pythonCommand(script, endpoint)
		// A bundle of authorities in the environment would outweigh what the script says of certificates.
		cmd.Env = append(os.Environ(), "U="+user, "P="+password, "REQUESTS_CA_BUNDLE=", "CURL_CA_BUNDLE=")
		out, err := cmd.CombinedOutput()
		return err == nil && strings.TrimSpace(string(out)) == "nothing", fmt.Sprint(string(out), err)
	})
}

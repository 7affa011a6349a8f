//go:build unix

package sandbox

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCommandLifetime(t *testing.T) {
	v := serveTest(t, Options{})
	shell := v.open(t, shellBody)
	command := v.start(t, shell, `read a; echo "got $a"; echo problem >&2; exit 42`)
	if status, answer := v.post(t, envelope{action: actionSend, shell: shell, body: sendBody(command, []byte("<&]]>\n"), true)}.String()); status != 200 {
		t.Fatalf("Send: %d %s", status, answer)
	}
	stdout, stderr, exit := v.drain(t, shell, command, 153600)
	if string(stdout) != "got <&]]>\n" || string(stderr) != "problem\n" || exit != "42" {
		t.Fatalf("got %q, %q, exit %s", stdout, stderr, exit)
	}
	if status, answer := v.post(t, envelope{action: actionSignal, shell: shell, body: signalBody(command, "terminate")}.String()); status != 200 {
		t.Fatalf("Signal: %d %s", status, answer)
	}
	status, answer := v.post(t, envelope{action: actionReceive, shell: shell, body: receiveBody(command)}.String())
	wantFault(t, status, answer, CodeNotFound)
	if status, answer := v.post(t, envelope{action: actionDelete, shell: shell}.String()); status != 200 {
		t.Fatalf("Delete: %d %s", status, answer)
	}
	status, answer = v.post(t, envelope{action: actionDelete, shell: shell}.String())
	wantFault(t, status, answer, CodeNotFound)
}

// The command's text arrives as the client meant it, also from one that escapes with CDATA.
func TestCommandText(t *testing.T) {
	starter := shStarter{specs: make(chan CommandSpec, 1)}
	v := serveTest(t, Options{Starter: starter})
	shell := v.open(t, `<rsp:Shell><rsp:WorkingDirectory>C:\x &amp; y</rsp:WorkingDirectory><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>`+
		`<rsp:Environment><rsp:Variable Name="A">1 &lt; 2</rsp:Variable></rsp:Environment></rsp:Shell>`)
	v.post(t, envelope{action: actionCommand, shell: shell, options: map[string]string{"WINRS_SKIP_CMD_SHELL": "TRUE"},
		body: `<rsp:CommandLine><rsp:Command><![CDATA["a&b" > ]]></rsp:Command><rsp:Arguments>c</rsp:Arguments><rsp:Arguments>&quot;d e&quot;</rsp:Arguments></rsp:CommandLine>`}.String())
	got := <-starter.specs
	if got.Line != `"a&b" > c "d e"` || got.Shell || got.Dir != `C:\x & y` || len(got.Env) != 1 || got.Env[0] != (EnvVar{"A", "1 < 2"}) {
		t.Fatalf("got %+v", got)
	}
}

func TestFaults(t *testing.T) {
	v := serveTest(t, Options{Limits: Limits{Shells: 2, Operations: 6}})
	shell := v.open(t, shellBody)
	command := v.start(t, shell, "sleep 60")
	tests := []struct {
		name string
		env  string
		code uint32
	}{
		{"unknown shell", envelope{action: actionCommand, shell: newID()}.String(), CodeNotFound},
		{"unknown command", envelope{action: actionReceive, shell: shell, body: receiveBody(newID())}.String(), CodeNotFound},
		{"nothing to receive", envelope{action: actionReceive, shell: shell, body: receiveBody(command), timeout: "PT0.1S"}.String(), CodeOperationTimeout},
		{"unknown signal", envelope{action: actionSignal, shell: shell, body: signalBody(command, "wave")}.String(), CodeUnsupported},
		{"unknown action", envelope{action: nsShell + "/Dance", shell: shell}.String(), CodeBadAction},
		{"PowerShell's resource", envelope{action: actionCreate, resource: "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"}.String(), CodeResourceURI},
		{"no XML", "hello", CodeSchema},
		{"a document type", `<!DOCTYPE x [<!ENTITY a "b">]><x/>`, CodeSchema},
		{"too deep", strings.Repeat("<a>", 100), CodeSchema},
		{"operation timeout is a bare number", envelope{action: actionReceive, shell: shell, timeout: "60"}.String(), CodeSchema},
		{"idle timeout is a bare number", envelope{action: actionCreate, body: `<rsp:Shell><rsp:IdleTimeOut>7200</rsp:IdleTimeOut></rsp:Shell>`}.String(), CodeSchema},
		{"stdin is not base64", envelope{action: actionSend, shell: shell, body: `<rsp:Send><rsp:Stream Name="stdin" CommandId="` + command + `">%%</rsp:Stream></rsp:Send>`}.String(), CodeSchema},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := v.post(t, tt.env)
			wantFault(t, status, answer, tt.code)
		})
	}
	t.Run("too many shells", func(t *testing.T) {
		v.open(t, shellBody)
		status, answer := v.post(t, envelope{action: actionCreate, body: shellBody}.String())
		wantFault(t, status, answer, CodeTooManyShells)
	})
	// A Terminate gives no operation back: only the shell does.
	t.Run("too many operations", func(t *testing.T) {
		for range 5 {
			c := v.start(t, shell, "true")
			v.drain(t, shell, c, 153600)
			v.post(t, envelope{action: actionSignal, shell: shell, body: signalBody(c, "terminate")}.String())
		}
		status, answer := v.post(t, envelope{action: actionCommand, shell: shell}.String())
		wantFault(t, status, answer, CodeTooManyOps)
	})
}

func TestEnvelopeOverTheLimit(t *testing.T) {
	v := serveTest(t, Options{})
	shell := v.open(t, shellBody)
	command := v.start(t, shell, "cat >/dev/null")
	status, answer := v.post(t, envelope{action: actionSend, shell: shell, body: sendBody(command, make([]byte, 400<<10), false)}.String())
	if status != http.StatusRequestEntityTooLarge {
		t.Fatalf("got %d %s", status, answer)
	}
	if status, _ = v.post(t, envelope{action: actionSend, shell: shell, body: sendBody(command, make([]byte, 380_000), false)}.String()); status != 200 {
		t.Fatalf("a Send of 380,000 bytes fits, but got %d", status)
	}
}

// Much output arrives whole, in answers no larger than the client takes.
func TestOutputFitsTheClientsEnvelope(t *testing.T) {
	v := serveTest(t, Options{})
	shell := v.open(t, shellBody)
	for _, size := range []int{8192, 153600, 512000} {
		command := v.start(t, shell, "head -c 2000000 /dev/zero | tr '\\0' x")
		stdout, _, exit := v.drain(t, shell, command, size)
		if len(stdout) != 2000000 || exit != "0" || bytes.Trim(stdout, "x") != nil && len(bytes.Trim(stdout, "x")) > 0 {
			t.Fatalf("size %d: got %d bytes, exit %s", size, len(stdout), exit)
		}
	}
}

// A command that does not read holds its Send back; the Send then fails, and says that part of
// it may have been taken.
func TestSendTimesOut(t *testing.T) {
	v := serveTest(t, Options{})
	shell := v.open(t, shellBody)
	command := v.start(t, shell, "sleep 60")
	data := make([]byte, 300_000)
	for range 20 {
		status, answer := v.post(t, envelope{action: actionSend, shell: shell, body: sendBody(command, data, false), timeout: "PT0.2S"}.String())
		if status != 200 {
			wantFault(t, status, answer, CodeSendTimedOut)
			return
		}
	}
	t.Fatal("6 MB went into a command that reads nothing")
}

func TestSignals(t *testing.T) {
	v := serveTest(t, Options{})
	shell := v.open(t, shellBody)
	t.Run("terminate aborts the Receive that waits", func(t *testing.T) {
		command := v.start(t, shell, "sleep 60")
		type result struct {
			status int
			answer []byte
			err    error
		}
		waiting := make(chan result, 1)
		client := v.client(t)
		go func() {
			status, answer, err := v.tryPost(client, envelope{action: actionReceive, shell: shell, body: receiveBody(command)}.String())
			waiting <- result{status, answer, err}
		}()
		v.post(t, envelope{action: actionSignal, shell: shell, body: signalBody(command, "terminate")}.String())
		r := <-waiting
		if r.err != nil {
			t.Fatal(r.err)
		}
		// The Receive may also have come after the Signal.
		code := find(parsed(t, r.answer), nsFault, "WSManFault").attr("Code")
		if code != "995" && code != "2150858843" {
			t.Fatalf("got fault %q: %s", code, r.answer)
		}
	})
	t.Run("ctrl_c ends the command with Windows' code", func(t *testing.T) {
		command := v.start(t, shell, "echo ready; sleep 60")
		v.post(t, envelope{action: actionSignal, shell: shell, body: signalBody(command, "ctrl_c")}.String())
		if _, _, exit := v.drain(t, shell, command, 153600); exit != "3221225786" {
			t.Fatalf("exit code %s", exit)
		}
	})
}

// What a command started dies with the shell's deletion and with its idle timeout.
func TestShellEndsItsProcesses(t *testing.T) {
	for name, end := range map[string]func(v *served, shell string){
		"delete": func(v *served, shell string) { v.post(t, envelope{action: actionDelete, shell: shell}.String()) },
		"idle":   func(*served, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			v := serveTest(t, Options{})
			body := shellBody
			if name == "idle" {
				body = strings.Replace(body, "<rsp:InputStreams>", "<rsp:IdleTimeOut>PT0.3S</rsp:IdleTimeOut><rsp:InputStreams>", 1)
			}
			shell := v.open(t, body)
			fifo := t.TempDir() + "/alive"
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			v.start(t, shell, "(exec 3>"+fifo+"; sleep 60) & sleep 60")
			alive, err := os.Open(fifo) // returns once the grandchild has it
			if err != nil {
				t.Fatal(err)
			}
			defer alive.Close()
			end(v, shell)
			if err := alive.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if n, err := alive.Read(make([]byte, 1)); n != 0 || os.IsTimeout(err) {
				t.Fatalf("the grandchild lives on: %v", err)
			}
			status, answer := v.post(t, envelope{action: actionCommand, shell: shell}.String())
			wantFault(t, status, answer, CodeNotFound)
		})
	}
}

func TestIdentify(t *testing.T) {
	v := serveTest(t, Options{})
	body := `<s:Envelope xmlns:s="` + nsSOAP + `"><s:Header/><s:Body><i:Identify xmlns:i="` + nsID + `"/></s:Body></s:Envelope>`
	status, answer := v.post(t, body)
	if got := find(parsed(t, answer), nsID, "ProductVersion").value(); status != 200 || !strings.Contains(got, "10.0") {
		t.Fatalf("got %d %s", status, answer)
	}
	for header, want := range map[string]int{"unauthenticated": 200, "": 401} {
		req, err := http.NewRequest(http.MethodPost, v.http, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("WSMANIDENTIFY", header)
		resp, err := v.client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("WSMANIDENTIFY %q: got %s", header, resp.Status)
		}
	}
}

// A UTF-16 envelope, as Windows' own client sends, is read.
func TestUTF16Envelope(t *testing.T) {
	v := serveTest(t, Options{})
	status, answer := v.post(t, "\xff\xfe"+string(toUTF16(envelope{action: actionCreate, body: shellBody}.String())))
	if status != 200 {
		t.Fatalf("got %d %s", status, answer)
	}
}

func TestShapeAddsLatency(t *testing.T) {
	v := serveTest(t, Options{})
	const latency = 120 * time.Millisecond
	v.Shape.SetLatency(latency)
	begun := time.Now()
	v.open(t, shellBody)
	if took := time.Since(begun); took < latency {
		t.Fatalf("a request took %v", took)
	}
	v.Shape.SetLatency(0)
	v.Shape.SetBandwidth(10_000)
	begun = time.Now()
	v.open(t, shellBody) // some 2,000 bytes both ways
	if took := time.Since(begun); took < latency {
		t.Fatalf("a request took %v at 10 kB/s", took)
	}
}

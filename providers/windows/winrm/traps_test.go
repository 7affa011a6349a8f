package winrm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// promptly fails the test when f takes longer than anything may that was cancelled.
func promptly(t *testing.T, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if d := time.Since(began); d > 250*time.Millisecond {
		t.Errorf("took %s, want at most 250ms", d)
	}
}

// hang answers when the test is over.
func hang(t *testing.T) func(asked) reply {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	return func(a asked) reply {
		select {
		case <-over:
		case <-a.http.Context().Done():
		}
		return reply{status: 200}
	}
}

func TestTrap1FaultsAreSeenOnEveryAnswer(t *testing.T) {
	for _, status := range []int{200, 500, 400} {
		for _, action := range []string{"Create", "Command", "Send", "Receive", "Signal", "Delete"} {
			t.Run(fmt.Sprintf("%s %d", action, status), func(t *testing.T) {
				m := newMachine(t, true)
				m.on[action] = fault(status, 2150859173)
				err := everyAction(t.Context(), m.client(nil))
				var f *Fault
				if !errors.As(err, &f) || !errors.Is(err, ErrTooManyShells) {
					t.Fatalf("got %v", err)
				}
				if f.Code != 2150859173 || f.Action != action || f.Message != "It did not work." || f.Subcode != "Some" {
					t.Errorf("got %+v", f)
				}
			})
		}
	}
}

// everyAction does one of each, and gives the first error.
func everyAction(ctx context.Context, c *Client) error {
	shell, err := c.Shell(ctx, ShellOptions{})
	if err != nil {
		return err
	}
	cmd, err := shell.Start(ctx, "x", CommandOptions{})
	if err != nil {
		return err
	}
	if err := cmd.Signal(ctx, SignalCtrlC); err != nil {
		return err
	}
	if err := cmd.Stdin().Close(); err != nil {
		return err
	}
	if _, err := cmd.Wait(); err != nil {
		return err
	}
	return shell.Close(ctx)
}

func TestTrap2AGoneShellEndsTheCommandAtOnce(t *testing.T) {
	for name, answer := range map[string]func(asked) reply{
		"fault":    fault(500, 2150858843),
		"bare 400": func(asked) reply { return reply{status: 400} },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, true)
			m.on["Receive"] = answer
			_, cmd := m.start(nil)
			if _, err := cmd.Wait(); !errors.Is(err, ErrShellNotFound) {
				t.Errorf("got %v", err)
			}
			if n := m.count("Receive"); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			if _, err := cmd.Stdout().Read(make([]byte, 1)); !errors.Is(err, ErrShellNotFound) {
				t.Errorf("stdout ended with %v", err)
			}
		})
	}
}

func TestTrap2AMachineThatDoesNotWaitIsNotAskedAThousandTimes(t *testing.T) {
	for name, answer := range map[string]func(asked) reply{
		"timeouts at once": fault(500, 2150858793),
		"empty answers":    func(asked) reply { return received(running) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, true)
			m.on["Receive"] = answer
			_, cmd := m.start(nil)
			select {
			case <-cmd.Done():
				t.Fatal("ended")
			case <-time.After(400 * time.Millisecond):
			}
			if n := m.count("Receive"); n > 12 {
				t.Errorf("%d requests in 0.4 s", n)
			}
		})
	}
}

func TestTrap3AnOperationTimeoutIsPolledOn(t *testing.T) {
	m := newMachine(t, true)
	n := 0
	m.on["Receive"] = func(a asked) reply {
		if n++; n < 4 {
			return fault(500, 2150858793)(a)
		}
		return received(stream("stdout", "late") + done("0"))
	}
	res, err := m.client(nil).Run(t.Context(), "x")
	if err != nil || string(res.Stdout) != "late" {
		t.Errorf("got %q, %v", res.Stdout, err)
	}
}

func TestTrap3AnotherErrorIsNotRetriedForEver(t *testing.T) {
	m := newMachine(t, true)
	m.on["Receive"] = func(asked) reply { return reply{status: 503} }
	_, err := m.client(nil).Run(t.Context(), "x")
	var status *HTTPError
	if !errors.As(err, &status) || status.Status != 503 || m.count("Receive") != 1 {
		t.Errorf("got %v after %d requests", err, m.count("Receive"))
	}
}

func TestTrap4CancellingReturnsAtOnce(t *testing.T) {
	for _, action := range []string{"Create", "Command", "Receive", "Send", "Identify"} {
		t.Run(action, func(t *testing.T) {
			m := newMachine(t, true)
			m.on[action] = hang(t)
			c := m.client(nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			got := make(chan error, 1)
			go func() {
				if action == "Identify" {
					_, err := c.Identify(ctx)
					got <- err
					return
				}
				if action == "Send" {
					got <- everyAction(ctx, c)
					return
				}
				_, err := c.Run(ctx, "x")
				got <- err
			}()
			for m.count(action) == 0 {
				time.Sleep(time.Millisecond) // until it hangs
			}
			promptly(t, func() {
				cancel()
				if err := <-got; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestTrap4CancellingReachesAMachineThatIsNotThere(t *testing.T) {
	m := newMachine(t, true)
	c := m.client(func(cfg *Config) { cfg.Address = "192.0.2.1" }) // TEST-NET: nobody answers
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	promptly(t, func() {
		if _, err := c.Identify(ctx); err == nil {
			t.Error("no error")
		}
	})
}

func TestTrap4ClosingTheClientEndsWhatRuns(t *testing.T) {
	m := newMachine(t, true)
	c := m.client(nil)
	shell, err := c.Shell(t.Context(), ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := shell.Start(t.Context(), "x", CommandOptions{})
	if err != nil {
		t.Fatal(err)
	}
	promptly(t, func() { _ = c.Close() })
	if _, err := cmd.Wait(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestTrap6AFailedSendIsReported(t *testing.T) {
	m := newMachine(t, true)
	m.on["Send"] = fault(500, 109)
	_, cmd := m.start(nil)
	_, _ = cmd.Stdin().Write([]byte("hello"))
	err := cmd.Stdin().Close()
	var f *Fault
	if !errors.As(err, &f) || f.Code != 109 {
		t.Errorf("close: %v", err)
	}
	if _, err := cmd.Stdin().Write([]byte("x")); !errors.As(err, &f) {
		t.Errorf("write: %v", err)
	}
}

func TestTrap6ASendWithoutAnAnswerIsNeverRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(asked) reply
		want   error
	}{
		"timed out":           {fault(500, 1460), ErrSendTimeout},
		"operation timed out": {fault(500, 2150858793), ErrOperationTimeout},
		"aborted":             {fault(500, 995), ErrAborted},
		"connection lost":     {func(asked) reply { panic(http.ErrAbortHandler) }, ErrLostAnswer},
		"bare 500":            {func(asked) reply { return reply{status: 500} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, true)
			m.on["Send"] = tt.answer
			_, cmd := m.start(nil)
			_, _ = cmd.Stdin().Write([]byte("hello"))
			_, err := cmd.Wait()
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "session was dropped") {
				t.Errorf("got %v", err)
			}
			if n := m.count("Send"); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			_ = cmd.Close()
			if n := m.count("Signal"); n != 1 {
				t.Errorf("%d signals, want 1", n)
			}
		})
	}
}

func TestTrap6AProgramThatDoesNotReadItsStdinStillEnds(t *testing.T) {
	m := newMachine(t, true)
	sent := make(chan struct{})
	var once sync.Once
	m.on["Send"] = func(a asked) reply {
		defer once.Do(func() { close(sent) })
		return fault(500, 232)(a)
	}
	m.on["Receive"] = func(asked) reply {
		<-sent
		return received(stream("stdout", "bye") + done("7"))
	}
	_, cmd := m.start(nil)
	_, _ = cmd.Stdin().Write([]byte("hello"))
	if code, err := cmd.Wait(); code != 7 || err != nil {
		t.Errorf("got %d, %v", code, err)
	}
}

func TestTrap7EnvelopesStayUnderTheLimit(t *testing.T) {
	get := map[string]func(asked) reply{
		"the machine tells":       nil,
		"it does not":             fault(500, 5),
		"it answers with nothing": func(asked) reply { return reply{status: 404} },
		"its limit is 200": func(asked) reply {
			return ok("", `<c:Config xmlns:c="`+nsConfig+`"><c:MaxEnvelopeSizekb>200</c:MaxEnvelopeSizekb></c:Config>`)
		},
	}
	limits := map[string]int{"the machine tells": 512000, "it does not": 153600, "it answers with nothing": 153600, "its limit is 200": 204800}
	for name, answer := range get {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, true)
			if answer != nil {
				m.on["Get"] = answer
			}
			_, cmd := m.start(nil)
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = io.Copy(io.Discard, cmd.Stdout()) })
			if _, err := cmd.Stdin().Write(bytes.Repeat([]byte{0xff}, 1<<20)); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Stdin().Close(); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			m.mu.Lock()
			defer m.mu.Unlock()
			if limit := limits[name]; m.largest > limit || m.largest < limit-1000 {
				t.Errorf("the largest envelope had %d bytes, the limit is %d", m.largest, limit)
			}
		})
	}
}

func TestTrap8NothingBreaksTheXML(t *testing.T) {
	m := newMachine(t, true)
	shell, _ := m.start(nil)
	for _, line := range []string{`a]]>b`, `a & b && c > d < e "f" 'g'`, `<![CDATA[x]]>`, "tab\tline\nend", "Ünïcödé 漢字 🙂", `&amp;`} {
		if _, err := shell.Start(t.Context(), line, CommandOptions{Arguments: []string{line}}); err != nil {
			t.Fatal(err)
		}
		got := m.last("Command").env.Body.CommandLine
		if got.Command != line || len(got.Arguments) != 1 || got.Arguments[0] != line {
			t.Errorf("%q arrived as %q, %q", line, got.Command, got.Arguments)
		}
	}
}

func TestTrap10ExitCodes(t *testing.T) {
	for text, want := range map[string]int32{"0": 0, "1": 1, "3010": 3010, "4294967295": -1, "-1": -1, "3221225786": -1073741510, " 5 ": 5} {
		m := newMachine(t, true)
		m.on["Receive"] = func(asked) reply { return received(done(text)) }
		res, err := m.client(nil).Run(t.Context(), "x")
		if err != nil || res.ExitCode != want {
			t.Errorf("%q: got %d, %v, want %d", text, res.ExitCode, err, want)
		}
	}
}

func TestTrap10WhatIsNoAnswerIsAnError(t *testing.T) {
	good := received(stream("stdout", "x") + done("0")).body
	for name, body := range map[string]string{
		"bad exit code":      received(done("soon")).body,
		"no exit code":       received(`<r:CommandState State="` + stateDone + `"/>`).body,
		"too large a code":   received(done("4294967296")).body,
		"cut short":          good[:len(good)/2],
		"HTML":               "<html><body>Login</body></html>",
		"nothing":            "",
		"text":               "OK",
		"not base64":         received(`<r:Stream Name="stdout">!!!</r:Stream>` + done("0")).body,
		"cut base64":         received(`<r:Stream Name="stdout">YWJ</r:Stream>` + done("0")).body,
		"wrong nesting":      strings.Replace(good, "</s:Body>", "</s:Bady>", 1),
		"unknown entity":     received(`<r:Stream Name="stdout">&x;</r:Stream>`).body,
		"unknown stream":     received(stream("stdlog", "x")).body,
		"nested streams":     received(`<r:Stream Name="stdout"><r:Stream Name="stdout">YQ==</r:Stream></r:Stream>`).body,
		"deep":               strings.Repeat("<a>", 100_000),
		"deep in an element": strings.Replace(good, "<s:Body>", "<s:Body>"+strings.Repeat("<a>", 1000), 1),
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, true)
			m.on["Receive"] = func(asked) reply { return reply{status: 200, body: body} }
			_, err := m.client(nil).Run(t.Context(), "x")
			if !errors.Is(err, ErrBadAnswer) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTrap10AnAnswerWithoutEndIsCutOff(t *testing.T) {
	m := newMachine(t, true)
	m.on["Receive"] = func(asked) reply { return reply{status: 200, body: strings.Repeat("x", maxAnswer+1)} }
	if _, err := m.client(nil).Run(t.Context(), "x"); !errors.Is(err, ErrLostAnswer) || !strings.Contains(err.Error(), "more than was allowed") {
		t.Errorf("got %v", err)
	}
}

func TestTrap10ARefusedUserIsToldWhatToDo(t *testing.T) {
	for name, tt := range map[string]struct {
		offered []string
		want    string
	}{
		"wrong password": {[]string{"Negotiate", `Basic realm="WSMAN"`}, "check user and password"},
		"no Basic":       {[]string{"Negotiate, Kerberos"}, "offers only Negotiate, Kerberos"},
		"nothing":        {nil, "is this WinRM's port?"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, true)
			m.on["Identify"] = func(asked) reply {
				return reply{status: 401, header: http.Header{"Www-Authenticate": tt.offered}}
			}
			_, err := m.client(nil).Identify(t.Context())
			var auth *AuthError
			if !errors.As(err, &auth) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheEndIsBounded(t *testing.T) {
	for _, action := range []string{"Signal", "Delete"} {
		t.Run(action, func(t *testing.T) {
			m := newMachine(t, true)
			m.on[action] = hang(t)
			shell, cmd := m.start(func(c *Config) { c.CleanupTimeout = 50 * time.Millisecond })
			if err := cmd.Stdin().Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			promptly(t, func() { _ = cmd.Close(); _ = shell.Close(t.Context()) })
		})
	}
}

func TestAnAnswerThatNeverComesIsNotAwaitedForEver(t *testing.T) {
	m := newMachine(t, true)
	m.on["Identify"] = hang(t)
	c := m.client(nil)
	l := c.take()
	if _, err := c.callOn(t.Context(), l, "Identify", identifyRequest(), 50*time.Millisecond-answerGrace); !errors.Is(err, ErrLostAnswer) {
		t.Errorf("got %v", err)
	}
	if l.conn != nil {
		t.Error("the connection is kept")
	}
}

func TestNoErrorAndNoLogHasThePassword(t *testing.T) {
	var log bytes.Buffer
	m := newMachine(t, false)
	cfg := m.config()
	cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m.on["Identify"] = func(asked) reply { return reply{status: 401} }
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.Identify(t.Context())
	cfg.Log.Info("config", "config", cfg)
	all := log.String() + fmt.Sprintf("%v %+v %#v", err, cfg, cfg)
	if strings.Contains(all, testPassword) {
		t.Errorf("the password is in %s", all)
	}
	if !strings.Contains(log.String(), "unencrypted") {
		t.Error("Basic over plain HTTP was used without a word")
	}
}

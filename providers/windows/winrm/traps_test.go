package winrm

import (
	"context"
	"errors"
	"fmt"
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

// hang answers when the test is over; arrived is closed when there is something to answer.
func hang(t *testing.T) (answer func(asked) reply, arrived <-chan struct{}) {
	over, came := make(chan struct{}), make(chan struct{})
	var once sync.Once
	t.Cleanup(func() { close(over) })
	return func(a asked) reply {
		once.Do(func() { close(came) })
		select {
		case <-over:
		case <-a.http.Context().Done():
		}
		return reply{status: 200}
	}, came
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
			var arrived <-chan struct{}
			m.on[action], arrived = hang(t)
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
			<-arrived
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

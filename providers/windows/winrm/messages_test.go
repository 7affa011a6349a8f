package winrm

import (
	"bytes"
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
			m.on[action], _ = hang(t)
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
	m.on["Identify"], _ = hang(t)
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

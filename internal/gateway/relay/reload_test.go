package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/internal/nettest"
)

func TestReloadCutsOnlyWhatGoes(t *testing.T) {
	target := nettest.Serve(t, echo).Port
	stays, goes, comes, guest := nettest.FreePort(t), nettest.FreePort(t), nettest.FreePort(t), nettest.FreePort(t)
	at := "127.0.0.1:" + strconv.Itoa(target)
	r := newRig(t, Wires{Forwards: []Forward{{Port: "api", Listen: stays, Guest: target}, {Port: "old", Listen: goes, Guest: target}}})
	r.machine.start()
	r.run()
	r.ready()
	kept, cut := dialPort(t, stays), dialPort(t, goes)
	for _, c := range []net.Conn{kept, cut} {
		c.Write([]byte("1"))
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	r.write(r.o.Wires, Wires{
		Forwards: []Forward{{Port: "new", Listen: comes, Guest: target}, {Port: "api", Listen: stays, Guest: target}},
		Reverse:  []Reverse{{To: sqlEndpoint(), GuestListen: guest, Dial: at}},
	})
	r.until("taken by itself", func(s Status) bool { return wireNamed(s, "new").Name != "" && s.Ready() == nil })
	if _, err := cut.Read(make([]byte, 1)); err == nil {
		t.Error("a wire that went still carries")
	}
	if c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(goes)); err == nil {
		c.Close()
		t.Error("a wire that went still listens")
	}
	kept.Write([]byte("2"))
	if _, err := io.ReadFull(kept, make([]byte, 1)); err != nil {
		t.Errorf("a wire that stays was cut: %v", err)
	}
	if got, err := exchange(t, guest, []byte("new")); err != nil || string(got) != "new" {
		t.Errorf("new reverse: %q, %v", got, err)
	}
	if s, _ := r.status(); s.Link.Connections != 1 {
		t.Errorf("the link came up %d times", s.Link.Connections)
	}

	// The same port in the machine, for another target: the old one must have gone before.
	other := nettest.Serve(t, answerAtEnd).Port
	r.write(r.o.Wires, Wires{Reverse: []Reverse{{To: sqlEndpoint(), GuestListen: guest, Dial: "127.0.0.1:" + strconv.Itoa(other)}}})
	s := r.until("swapped", func(s Status) bool { return len(s.Wires) == 1 && s.Ready() == nil })
	if s.Wires[0].Connections != 0 {
		t.Errorf("%+v", s.Wires[0])
	}
	if got, err := exchange(t, guest, []byte("x")); err != nil || string(got) != "got:x" {
		t.Errorf("swapped reverse: %q, %v", got, err)
	}
}

func TestWrongOrMissingWiresChangeNothing(t *testing.T) {
	target, listen := nettest.Serve(t, echo).Port, nettest.FreePort(t)
	good := Wires{Forwards: []Forward{{Port: "api", Listen: listen, Guest: target}}}
	r := newRig(t, good)
	r.machine.start()
	r.run()
	r.ready()
	for name, content := range map[string]string{
		"cut":        `{"forwards":[{"port":"a`,
		"port 0":     `{"forwards":[{"port":"api","listen":0,"guest":1}]}`,
		"port twice": `{"forwards":[{"port":"a","listen":81,"guest":1},{"port":"b","listen":81,"guest":2}]}`,
		"no target":  `{"reverse":[{"to":"container.db.port.sql","guest_listen":5,"dial":"db"}]}`,
		"unknown":    `{"forwards":[],"udp":[]}`,
		"no file":    "",
	} {
		t.Run(name, func(t *testing.T) {
			if content == "" {
				if err := os.Remove(r.o.Wires); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(r.o.Wires, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s := r.until("said", func(s Status) bool { return s.ConfigError != "" })
			if s.Ready() == nil || len(s.Wires) != 1 {
				t.Errorf("%+v", s)
			}
			if got, err := exchange(t, listen, []byte("on")); err != nil || string(got) != "on" {
				t.Errorf("%q, %v", got, err)
			}
			r.write(r.o.Wires, good)
			r.ready()
		})
	}
}

func TestCommand(t *testing.T) {
	target, listen := nettest.Serve(t, echo).Port, nettest.FreePort(t)
	r := newRig(t, Wires{Forwards: []Forward{{Port: "api", Listen: listen, Guest: target}}})
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := Command(t.Context(), append(args, "--control", r.o.Control), r.o.Connect, &out, &errs)
		return code, out.String(), errs.String()
	}
	if code, _, errs := run("check"); code != 1 || !strings.Contains(errs, "no gateway answers here") {
		t.Errorf("check of none: %d, %q", code, errs)
	}
	r.o.timing.poll = time.Hour // only who asks reloads
	r.run()
	if code, _, errs := run("check"); code != 1 || !strings.Contains(errs, "link to windows.pas is") {
		t.Errorf("check without the machine: %d, %q", code, errs)
	}
	r.machine.start()
	r.ready()
	if code, _, errs := run("check"); code != 0 || errs != "" {
		t.Errorf("check: %d, %q", code, errs)
	}
	code, out, _ := run("status")
	var s Status
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || s.Link.State != Up || s.Wires[0].Name != "api" {
		t.Errorf("status: %d, %v, %s", code, err, out)
	}
	if strings.Contains(out, planted) {
		t.Error("the password is in the status")
	}
	r.write(r.o.Wires, Wires{Forwards: []Forward{{Port: "other", Listen: nettest.FreePort(t), Guest: target}}})
	if code, _, errs := run("reload"); code != 0 {
		t.Errorf("reload: %d, %q", code, errs)
	}
	if s, _ := r.status(); wireNamed(s, "other").Name == "" {
		t.Errorf("after reload: %+v", s)
	}
	for _, args := range [][]string{{}, {"go"}, {"run", "--colour"}, {"status", "now"}} {
		if code := Command(t.Context(), args, r.o.Connect, io.Discard, io.Discard); code != 64 {
			t.Errorf("%q ends with %d", args, code)
		}
	}
}

func TestStopsWithinASecondAndSaysNoPassword(t *testing.T) {
	target, listen := nettest.Serve(t, echo).Port, nettest.FreePort(t)
	r := newRig(t, Wires{Forwards: []Forward{{Port: "api", Listen: listen, Guest: target}}})
	r.o.timing.closing = defaults().closing
	r.machine.start()
	r.run()
	r.ready()
	open := dialPort(t, listen)
	open.Write([]byte("1"))
	io.ReadFull(open, make([]byte, 1))
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestFileWithThePasswordIsNeverQuoted(t *testing.T) {
	r := newRig(t, Wires{})
	if err := os.WriteFile(r.o.Config, []byte(`{"password": {"value":"`+planted+`","x":"`+planted+`"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Run(context.Background(), r.o)
	if err == nil || strings.Contains(err.Error(), planted) || !strings.Contains(err.Error(), r.o.Config) {
		t.Errorf("Run() = %v", err)
	}
}

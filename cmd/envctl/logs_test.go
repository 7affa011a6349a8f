package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

type logLine struct {
	Format                int
	Time                  time.Time
	Address, Stream, Line string
}

// clocks are containers that take turns in printing, to both of their streams.
const clocks = `
environment "clocks" {}

container "tick" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$| = 1; for (1 .. 4) { print qq(tick $_\n); select(undef, undef, undef, 0.4) } print STDERR qq(long ), qq(x) x 40000, qq(\n); $SIG{TERM} = sub { exit 0 }; sleep 1 while 1"]
}

container "tock" {
  image   = "debian:trixie-slim"
  command = ["perl", "-e", "$| = 1; select(undef, undef, undef, 0.2); for (1 .. 4) { print STDERR qq(tock $_\n); select(undef, undef, undef, 0.4) } print qq(no end)"] # its last line is seen once it has ended
}
`

func TestLogsAreMerged(t *testing.T) {
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", clocks)
	e.must("up")
	var lines []logLine
	eventually(t, 20*time.Second, "both have printed all", func() (bool, string) {
		lines = decodeLog(t, e.must("logs", "--json"))
		return len(lines) >= 10, fmt.Sprint(lines)
	})
	streams := map[string]int{}
	for i, l := range lines {
		streams[l.Address+" "+l.Stream]++
		if i > 0 && l.Time.Before(lines[i-1].Time) || l.Time.IsZero() || (l.Format == 1) != (i == 0) {
			t.Errorf("line %d is %+v after %+v", i, l, lines[max(i, 1)-1])
		}
		if strings.HasPrefix(l.Line, "long") && len(l.Line) != 40005 {
			t.Errorf("the long line has %d bytes: %.60s...", len(l.Line), l.Line)
		}
	}
	if streams["container.tick stdout"] != 4 || streams["container.tick stderr"] != 1 || streams["container.tock stderr"] != 4 || streams["container.tock stdout"] != 1 {
		t.Errorf("lines by stream: %v", streams)
	}
	// In turns, or else they are not merged: both began within a moment.
	turns := 0
	for i := range lines[1:] {
		if lines[i].Address != lines[i+1].Address {
			turns++
		}
	}
	if turns < 3 {
		t.Errorf("they took only %d turns: %+v", turns, lines)
	}

	if out := e.must("logs", "-n", "1", "tock"); out != "container.tock  no end\n" {
		t.Errorf("the last line: %q", out)
	}
	third := lines[2].Time.Format(time.RFC3339Nano)
	if some := decodeLog(t, e.must("logs", "--json", "--since", third)); len(some) != len(lines)-2 || some[0].Line != lines[2].Line {
		t.Errorf("since the third: %+v", some)
	}
	if _, errs, code := e.run("logs", "--since", "yesterday"); code != 64 || !strings.Contains(errs, "10m") {
		t.Errorf("--since yesterday: exit code %d: %s", code, errs)
	}
}

func decodeLog(t *testing.T, text string) (lines []logLine) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var l logLine
		if err := d.Decode(&l); err != nil {
			t.Fatalf("%v in %.200s", err, text)
		}
		lines = append(lines, l)
	}
	return lines
}

func TestLogsFollowThroughARestart(t *testing.T) {
	t.Parallel()
	e := newContainerEnv(t)
	e.write("env.envctl.hcl", pair)
	e.must("up")
	cmd := e.command("logs", "--follow")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	seen := bufio.NewScanner(out)
	until := func(want string) {
		t.Helper()
		for seen.Scan() {
			if strings.Contains(seen.Text(), want) {
				return
			}
		}
		t.Fatalf("the log ended without %q: %v", want, seen.Err())
	}
	until("app begins")
	e.must("restart", "app") // the same container
	until("app ends")
	until("app begins")
	e.edit("env.envctl.hcl", "app begins", "app begins anew")
	e.must("up") // another container
	until("app ends")
	until("app begins anew")
	e.must("stop")
	until("db ends")
	for seen.Scan() {
		t.Errorf("and after that: %s", seen.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("logs --follow: %v", err)
	}
}

package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/envctl/envctl/internal/guestproto"
)

// controlC is what a Windows program ends with that Ctrl-C ended: STATUS_CONTROL_C_EXIT.
const controlC = 0xC000013A

// session carries out a session channel: one exec, shell or subsystem request, after any number of
// env ones (RFC 4254 section 6).
func (s *server) session(ctx context.Context, nc ssh.NewChannel) {
	channel, requests, err := nc.Accept()
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer channel.Close()

	var work sync.WaitGroup
	defer work.Wait()
	env, started := map[string]string{}, false
	run := func(do func() uint32) {
		s.busy.Add(1)
		work.Go(func() {
			code := do()
			s.busy.Done()
			channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
			channel.Close()
		})
	}
	for r := range requests {
		ok := false
		var begin func() uint32
		start := func(do func() uint32) bool {
			if started {
				return false
			}
			started, begin = true, do
			return true
		}
		switch r.Type {
		case "env":
			var kv struct{ Name, Value string }
			if ssh.Unmarshal(r.Payload, &kv) == nil && !started {
				env[kv.Name], ok = kv.Value, true
			}
		case "exec":
			var line struct{ Command string }
			if ssh.Unmarshal(r.Payload, &line) == nil {
				ok = start(func() uint32 { return s.exec(ctx, channel, line.Command, env) })
			}
		case "shell":
			ok = start(func() uint32 { return s.exec(ctx, channel, shellCommand, env) })
		case "subsystem":
			var name struct{ Name string }
			if ssh.Unmarshal(r.Payload, &name) == nil && name.Name == "sftp" {
				ok = start(func() uint32 { return s.sftp(channel) })
			}
		case "signal":
			// Windows can send Ctrl-C to a console only, and there is none: every signal ends the tree.
			cancel(errSignal)
			ok = true
		}
		if r.WantReply {
			r.Reply(ok, nil)
		}
		if begin != nil {
			run(begin) // after the reply: a command that is done at once would close the channel before it
		}
	}
	// The requests end with the channel: whoever asked has gone, and what runs for it goes too.
	cancel(nil)
}

// errSignal is why a session's context ended when the client sent a signal.
var errSignal = errors.New("ended by a signal")

// exec runs one of guestproto's commands or a command line, and gives its exit status, all 32 bits.
func (s *server) exec(ctx context.Context, channel ssh.Channel, line string, env map[string]string) uint32 {
	var err error
	switch line {
	case guestproto.CommandObserve:
		err = s.machine.serveObserve(ctx, channel, channel)
	case guestproto.CommandApply:
		err = s.machine.serveApply(ctx, channel, channel)
	case guestproto.CommandCheck:
		err = s.machine.serveCheck(ctx, channel, channel)
	default:
		return s.execLine(ctx, channel, line, env)
	}
	if err != nil {
		fmt.Fprintln(channel.Stderr(), err)
		return 1
	}
	return 0
}

func (s *server) execLine(ctx context.Context, channel ssh.Channel, line string, env map[string]string) uint32 {
	p, err := startProcess(command{line: line, env: env, stdin: true})
	if err != nil {
		fmt.Fprintf(channel.Stderr(), "%v\r\n", err)
		return 1
	}
	s.wg.Go(func() {
		// Ends when the client closes its side, or the channel, or when the program reads no more.
		io.Copy(p.stdin, channel)
		p.stdin.Close()
	})
	code, err := p.run(ctx, channel, channel.Stderr())
	if err != nil {
		fmt.Fprintf(channel.Stderr(), "%v\r\n", err)
	}
	if errors.Is(context.Cause(ctx), errSignal) {
		return controlC
	}
	return code
}

// sftp serves files: "C:/x" and "/C:/x" name the same one.
func (s *server) sftp(channel ssh.Channel) uint32 {
	server, err := sftp.NewServer(channel)
	if err != nil {
		return 1
	}
	defer server.Close()
	if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
		s.log.Debug("sftp ended", "err", err)
		return 1
	}
	return 0
}

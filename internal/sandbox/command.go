package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"time"
)

// exitInterrupted is what a Windows program ends with on Ctrl-C (STATUS_CONTROL_C_EXIT).
const exitInterrupted = 0xC000013A

const (
	stateRunning = nsShell + "/CommandState/Running"
	stateDone    = nsShell + "/CommandState/Done"
)

// command is one running command of a shell.
type command struct {
	id   string
	proc Process
	in   *input
	out  *output

	once        sync.Once
	gone        chan struct{} // closed when the command was ended by its client
	mu          sync.Mutex
	interrupted bool
}

func newCommand(proc Process, streams []string) *command {
	c := &command{id: newID(), proc: proc, in: newInput(proc.Stdin()), out: newOutput(streams...), gone: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() { c.out.copy("stdout", proc.Stdout()) })
	wg.Go(func() { c.out.copy("stderr", proc.Stderr()) })
	// These end with the process, and ending the command ends that.
	go func() {
		code, err := proc.Wait()
		c.mu.Lock()
		if c.interrupted || err != nil {
			code = exitInterrupted
		}
		c.mu.Unlock()
		wg.Wait()
		c.out.exit(code)
	}()
	return c
}

// end kills the command's whole tree and fails what waits for it.
func (c *command) end() {
	c.once.Do(func() {
		close(c.gone)
		c.out.close() // first, or a waiting Receive would see an end instead of being aborted
		c.in.close()
		c.proc.Kill()
		c.proc.Close()
	})
}

// finished says whether the command has ended by itself.
func (c *command) finished() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.exited
}

// send carries out a Send ([MS-WSMV] 3.1.4.13).
func (c *command) send(r *request) ([]byte, error) {
	body := r.body.child(nsShell, "Send")
	if body == nil {
		return nil, faultSchema("Send has no Send element.")
	}
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	for _, st := range body.children {
		if st.name.Local != "Stream" {
			continue
		}
		if st.attr("Name") != "stdin" {
			return nil, faultSchema("the shell has no input stream " + strconv.Quote(st.attr("Name")) + ".")
		}
		data, err := decodeBase64(st.text)
		if err != nil {
			return nil, faultSchema("the stream is not base64.")
		}
		end := strings.EqualFold(st.attr("End"), "true") || st.attr("End") == "1"
		if !c.in.write(data, end, timer.C, c.gone) {
			select {
			case <-c.gone:
				return nil, faultAborted()
			default:
				return nil, faultSendTimeout()
			}
		}
	}
	return answer(r, actionSend+"Response", prefixTransfer, `<rsp:SendResponse/>`), nil
}

func decodeBase64(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	return out[:n], err
}

// receive carries out a Receive ([MS-WSMV] 3.1.4.14), a long poll until there is output, the
// command's end or the operation timeout.
func (c *command) receive(ctx context.Context, r *request, envelope int) ([]byte, error) {
	wanted := map[string]bool{}
	for _, s := range strings.Fields(r.body.child(nsShell, "Receive").child(nsShell, "DesiredStream").value()) {
		wanted[s] = true
	}
	// The envelope's own markup, three ends of streams and a state take less than 3 KB.
	payload := (envelope - 3<<10) / 4 * 3
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	for {
		t, wait := c.out.take(wanted, payload)
		switch {
		case t.closed:
			return nil, faultAborted()
		case len(t.chunks) > 0 || t.done:
			return c.receiveAnswer(r, wanted, t), nil
		}
		select {
		case <-wait:
		case <-timer.C:
			return nil, faultTimeout()
		case <-ctx.Done():
			return nil, faultAborted()
		}
	}
}

func (c *command) receiveAnswer(r *request, wanted map[string]bool, t taken) []byte {
	var b bytes.Buffer
	openEnvelope(&b, r, actionReceive+"Response", prefixReceive)
	b.WriteString(`<rsp:ReceiveResponse>`)
	id := ` CommandId="` + c.id + `"`
	for _, ch := range t.chunks {
		b.WriteString(`<rsp:Stream Name="` + ch.stream + `"` + id + `>`)
		b.Grow(base64.StdEncoding.EncodedLen(len(ch.data)) + 256)
		b.Write(base64.StdEncoding.AppendEncode(b.AvailableBuffer(), ch.data))
		b.WriteString(`</rsp:Stream>`)
	}
	if t.done {
		for _, s := range []string{"stdout", "stderr"} {
			if wanted[s] {
				b.WriteString(`<rsp:Stream Name="` + s + `"` + id + ` End="true"></rsp:Stream>`)
			}
		}
		b.WriteString(`<rsp:CommandState` + id + ` State="` + stateDone + `"><rsp:ExitCode>` + strconv.FormatUint(uint64(t.code), 10) + `</rsp:ExitCode></rsp:CommandState>`)
	} else {
		b.WriteString(`<rsp:CommandState` + id + ` State="` + stateRunning + `"></rsp:CommandState>`)
	}
	b.WriteString(`</rsp:ReceiveResponse>`)
	closeEnvelope(&b)
	return b.Bytes()
}

// signal carries out a Signal ([MS-WSMV] 3.1.4.12). It reports whether the command is over and
// to be forgotten.
func (c *command) signal(r *request) (over bool, err error) {
	code := r.body.child(nsShell, "Signal").child(nsShell, "Code").value()
	switch strings.TrimPrefix(strings.ToLower(code), nsShell+"/signal/") {
	case "terminate":
		return true, nil
	case "ctrl_c", "ctrl_break":
		if c.finished() {
			return true, nil
		}
		c.mu.Lock()
		c.interrupted = true
		c.mu.Unlock()
		c.proc.Kill()
		return false, nil
	}
	return false, faultSignal(code)
}

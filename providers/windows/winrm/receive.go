package winrm

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A machine waits with its answer until there is output. One that does not, and has none, is asked
// less and less often rather than thousands of times a second.
const (
	hasty      = 20 * time.Millisecond
	firstPause = 10 * time.Millisecond
	maxPause   = time.Second
)

// receive polls for output until the command is done ([MS-WSMV] 3.1.4.14: Receive).
func (c *Command) receive(l *link) (int32, error) {
	pause := firstPause
	for {
		began := time.Now()
		a, err := c.poll(l)
		switch {
		case c.ctx.Err() != nil:
			return 0, context.Cause(c.ctx)
		case errors.Is(err, ErrOperationTimeout):
			a = &answer{}
		case err != nil:
			return 0, err
		}
		if err := c.deliver(a); err != nil {
			return 0, err
		}
		if a.done {
			if a.exitCode == nil {
				return 0, fmt.Errorf("receive: %w: the command is done and has no exit code", ErrBadAnswer)
			}
			return *a.exitCode, nil
		}
		if len(a.chunks) > 0 || time.Since(began) > hasty {
			pause = firstPause
			continue
		}
		select {
		case <-time.After(pause):
		case <-c.ctx.Done():
			return 0, context.Cause(c.ctx)
		}
		pause = min(2*pause, maxPause)
	}
}

func (c *Command) poll(l *link) (*answer, error) {
	o := c.shell.client.options(actionReceive, resourceCmd, c.shell.id)
	o.options = [][2]string{{"WSMAN_CMDSHELL_OPTION_KEEPALIVE", "TRUE"}}
	r := newRequest(o)
	r.child(r.body("Receive"), "DesiredStream", "stdout stderr").SetAttr("CommandId", escape(c.id))
	a, err := c.shell.client.callOn(c.ctx, l, r.action, r.bytes(), c.shell.client.cfg.OperationTimeout)
	if err != nil {
		return nil, c.shell.explain(err)
	}
	return a, nil
}

func (c *Command) deliver(a *answer) error {
	for _, chunk := range a.chunks {
		c.heard.Touch()
		var out *output
		switch chunk.stream {
		case "stdout":
			out = c.stdout
		case "stderr":
			out = c.stderr
		default:
			return fmt.Errorf("receive: %w: output on a stream %.40q", ErrBadAnswer, chunk.stream)
		}
		if err := out.add(chunk.data); err != nil {
			return err
		}
	}
	return nil
}

package cli

import (
	"bytes"
	"context"
	"io"
	"time"
)

// watchPause lies between one look at everything and the next.
const watchPause = time.Second

// watchStatus shows the status whenever it is another one, until Ctrl-C.
func (a *app) watchStatus() error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	ctx := a.interrupts.stop
	if err := s.survey(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	screen := painter{app: a, inPlace: isTerminal(a.Out) && !a.dumb() && !a.json}
	for {
		err := s.watchOnce(ctx, &screen)
		if ctx.Err() != nil {
			return nil // Ctrl-C is how watching ends
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.observe(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (s *session) watchOnce(ctx context.Context, screen *painter) error {
	var frame bytes.Buffer
	out := s.look(ctx).statusOutput
	if ctx.Err() != nil {
		return nil // half of it was not asked any more
	}
	if err := s.printStatus(&frame, out); err != nil {
		return err
	}
	return screen.paint(frame.String())
}

// painter shows frames: on a terminal each alone on the screen, elsewhere one after the other.
type painter struct {
	*app
	inPlace bool
	last    string
}

func (p *painter) paint(frame string) error {
	if frame == p.last {
		return nil
	}
	before := ""
	switch {
	case p.inPlace:
		before = "\x1b[2J\x1b[H" // all goes, and it begins at the top (ECMA-48 ED, CUP)
	case p.last != "" && !p.json:
		before = "\n"
	}
	p.last = frame
	_, err := io.WriteString(p.Out, before+frame)
	return err
}

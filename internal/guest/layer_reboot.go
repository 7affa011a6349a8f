package guest

import (
	"context"
	"fmt"
)

// rebootKind restarts the machine. Its layer is complete once the machine has another boot id, which
// the next Apply sees.
type rebootKind struct {
	// pending says in words why Windows wants to restart; "" where it does not.
	pending func() (string, error)
}

// rebootSaved is where the layer stands. Without a boot id there was nothing to do.
type rebootSaved struct {
	BootID string `json:"boot_id,omitempty"`
	Asked  int    `json:"asked,omitempty"` // how often
}

// maxAsked is how often a restart is asked for that does not come.
const maxAsked = 3

func (k rebootKind) apply(_ context.Context, s *step) error {
	switch when := s.layer.Reboot.When; when {
	case "always":
	case "", "pending":
		why, err := k.pending()
		if err != nil {
			return err
		}
		if s.pending {
			why = "an installer asked for it"
		}
		if why == "" {
			s.log("no restart is pending")
			return s.save(rebootSaved{})
		}
		s.log("restarting: %s", why)
	default:
		return fmt.Errorf("when %q: pending or always", when)
	}
	return s.ask(rebootSaved{BootID: s.machine.BootID, Asked: 1})
}

func (s *step) ask(saved rebootSaved) error {
	if err := s.save(saved); err != nil {
		return err
	}
	return errRestart
}

// resume completes the layer where the restart has come about, and asks again where it has not.
func (k rebootKind) resume(_ context.Context, s *step) (bool, error) {
	var saved rebootSaved
	if ok, err := s.saved(&saved); !ok {
		return false, err
	}
	if saved.BootID != s.machine.BootID {
		return true, nil
	}
	if saved.Asked >= maxAsked {
		return false, fmt.Errorf("the machine was asked %d times to restart and did not; restart it by hand and run up again", saved.Asked)
	}
	saved.Asked++
	return false, s.ask(saved)
}

func (rebootKind) undo(context.Context, *step) error { return nil }

func (rebootKind) observe(context.Context, *step) (drift, error) { return drift{}, nil }

package guest

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// taskKind makes a scheduled task, with Task Scheduler's own interface.
type taskKind struct{}

// taskSaved is what undo and observe need: the task that was there before, and the layer's as Task Scheduler keeps
// it, both as XML.
type taskSaved struct {
	Before string `json:"before,omitempty"`
	Made   string `json:"made,omitempty"`
}

func (taskKind) apply(ctx context.Context, s *step) error {
	t, name := s.layer.Task, s.layer.Name
	arguments := ""
	if len(t.Args) > 0 {
		arguments = windows.ComposeCommandLine(t.Args)
	}
	definition, err := taskXML(t, arguments)
	if err != nil {
		return err
	}
	password := ""
	if t.Password != nil {
		password = t.Password.Reveal()
	}
	return taskError(withTasks(ctx, func(f taskFolder) error {
		var saved taskSaved
		var err error
		if saved.Before, err = f.definition(name); err != nil {
			return err
		}
		if taskHasPassword(saved.Before) {
			return fmt.Errorf("there is a task %q that runs with a password, which could not be put back: give this one another name", name)
		}
		if err := s.save(saved); err != nil {
			return err
		}
		if err := f.register(name, definition, t.Account, password); err != nil {
			return err
		}
		if saved.Made, err = f.definition(name); err != nil {
			return err
		}
		if err := s.save(saved); err != nil {
			return err
		}
		if underWine() {
			s.log("the sandbox keeps this task and never starts it")
		}
		if t.RunNow {
			if err := f.run(name); err != nil {
				return fmt.Errorf("run it now: %w", err)
			}
		}
		return nil
	}))
}

func (taskKind) undo(ctx context.Context, s *step) error {
	var saved taskSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	return taskError(withTasks(ctx, func(f taskFolder) error {
		if err := f.remove(s.layer.Name); err != nil || saved.Before == "" {
			return err
		}
		return f.register(s.layer.Name, saved.Before, "", "")
	}))
}

func (taskKind) observe(ctx context.Context, s *step) (d drift, err error) {
	var saved taskSaved
	if ok, err := s.saved(&saved); !ok {
		return d, err
	}
	is := ""
	err = withTasks(ctx, func(f taskFolder) (err error) {
		is, err = f.definition(s.layer.Name)
		return err
	})
	switch {
	case err != nil:
		return d, taskError(err)
	case is == "":
		return drifted("the task is gone"), nil
	case is != saved.Made:
		d.say("the task was changed")
		d.differences(taskParts(saved.Made), taskParts(is))
	}
	return d, nil
}

func taskError(err error) error {
	if errors.Is(err, errNoInterface) {
		return fmt.Errorf("%w: this machine's Task Scheduler cannot do that; the sandbox's keeps tasks and cannot run one", err)
	}
	return err
}

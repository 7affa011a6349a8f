package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/resolve"
	"github.com/envctl/envctl/providers/docker"
)

// readLock reads what the plan is held to. Without a lock file and --frozen, there is nothing.
func (s *session) readLock(ctx context.Context) error {
	if s.locked != nil {
		return nil
	}
	l, err := s.loadLock()
	if err != nil {
		return err
	}
	if l.lock == nil && !s.frozen {
		return nil
	}
	if l.platform, err = s.docker.Platform(ctx); err != nil {
		return err
	}
	s.locked = l
	return nil
}

// useLock holds what was evaluated to the lock. The first time it sees that the lock is good for it.
func (s *session) useLock(env *envspec.Environment) error {
	l := s.locked
	if l == nil {
		return nil
	}
	in := s.lockInput(env, l)
	if !l.checked {
		wants, err := resolve.Find(in)
		if err != nil {
			return err
		}
		if err := s.checkLock(l, wants); err != nil {
			return err
		}
		l.checked = true
	}
	return resolve.Pin(in, l.lock)
}

func (s *session) lockInput(env *envspec.Environment, l *lockFile) resolve.Input {
	return resolve.Input{
		Dir: s.spec.Dir, Environment: env, Templates: s.spec.Templates(), Platform: l.platform, Bases: docker.BaseImages,
	}
}

// checkLock refuses an installer that is not the one locked; with --frozen all that the lock does not hold as it is.
func (s *session) checkLock(l *lockFile, wants *resolve.Wants) error {
	if err := s.refuseLock(l, resolve.Diagnostics(wants.CheckFiles(l.lock))); err != nil {
		return err
	}
	gaps := wants.Gaps(l.lock)
	if len(gaps) == 0 {
		return nil
	}
	if s.frozen {
		return frozenError(gaps)
	}
	for _, g := range gaps {
		if g.Locked == "" {
			s.say("%s is not in %s and taken as it is now; \"envctl lock\" adds it.", g.Name, envspec.LockName)
		}
	}
	return nil
}

func frozenError(gaps []resolve.Gap) error {
	var b strings.Builder
	for _, g := range gaps {
		fmt.Fprintf(&b, "\n  %s", g)
	}
	return fmt.Errorf("%s does not hold all that is used:%s\nRun \"envctl lock\" and commit the file", envspec.LockName, b.String())
}

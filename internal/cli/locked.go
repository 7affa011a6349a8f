package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/resolve"
	"github.com/envctl/envctl/providers/docker"
)

// lockFile is the lock beside a spec as it was read.
type lockFile struct {
	path     string
	lock     *envspec.Lock // nil where there is no file
	file     *hcl.File
	platform string // the engine's own
	checked  bool
}

// loadLock reads the lock beside the spec and refuses one that is damaged.
func (s *session) loadLock() (*lockFile, error) {
	l := &lockFile{path: filepath.Join(s.spec.Dir, envspec.LockName)}
	src, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the lock: %w", err)
	}
	var diags hcl.Diagnostics
	l.lock, l.file, diags = envspec.ParseLock(src, envspec.LockName)
	return l, s.refuseLock(l, diags)
}

// refuseLock shows what is wrong with a lock, and fails where anything is.
func (s *session) refuseLock(l *lockFile, diags hcl.Diagnostics) error {
	if len(diags) == 0 {
		return nil
	}
	var err error
	if s.stream != nil {
		err = s.diagnostics(s.spec, diags)
	} else {
		err = envspec.WriteDiagnostics(s.Err, map[string]*hcl.File{envspec.LockName: l.file}, diags, s.width(), s.color())
	}
	return errors.Join(err, exit(ExitFailed))
}

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

// checkLock refuses an installer or script that is not the one locked; with --frozen all that the lock does not hold as it is.
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
		if g.Locked == "" && !g.Unknown {
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

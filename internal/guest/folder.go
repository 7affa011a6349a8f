package guest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// subfolders are what the helper's folder may hold beside the manifest.
func (m *Machine) subfolders() []string {
	return []string{"layers", "cache", "backup", "run", "logs", "apps"}
}

// prepareDir makes the helper's folder and lets nobody in but administrators.
func (m *Machine) prepareDir() error {
	if err := makePrivateDir(m.Dir); err != nil {
		return err
	}
	for _, sub := range m.subfolders() {
		if err := os.MkdirAll(filepath.Join(m.Dir, sub), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// lock makes sure that one Apply works on the machine at a time. It waits for another one, after
// calling waiting once, until ctx ends. The lock ends with the process that holds it.
func (m *Machine) lock(ctx context.Context, waiting func()) (func(), error) {
	if err := makePrivateDir(m.Dir); err != nil {
		return nil, err
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for said := false; ; {
		unlock, err := tryLock(filepath.Join(m.Dir, "lock"))
		if err == nil || !errors.Is(err, errLocked) {
			return unlock, err
		}
		if !said {
			waiting()
			said = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

var errLocked = errors.New("another envctl works on this machine")

// removeExcept empties a folder but for the names that keep has.
func removeExcept(dir string, keep map[string]bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// removeFile removes what may be gone already.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// madeDirs makes a folder with its parents and gives those that were not there, the topmost first.
// It only looks where make is false.
func madeDirs(dir string, make bool) ([]string, error) {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		missing = append([]string{d}, missing...)
		if filepath.Dir(d) == d {
			break
		}
	}
	if !make {
		return missing, nil
	}
	return missing, os.MkdirAll(dir, 0o755)
}

// removeEmpty removes folders that madeDirs gave, the deepest first, where nothing is in them.
func removeEmpty(dirs []string) {
	for i := len(dirs) - 1; i >= 0; i-- {
		os.Remove(dirs[i])
	}
}

// forget removes everything of ours. The helper's own program, which runs, goes when it ends.
func (m *Machine) forget() error {
	if err := removeFile(m.manifestFile()); err != nil {
		return err
	}
	for _, sub := range m.subfolders() {
		if err := os.RemoveAll(filepath.Join(m.Dir, sub)); err != nil {
			return err
		}
	}
	return m.removeProgram()
}

package cli

import (
	"path/filepath"

	"github.com/adrg/xdg"
)

// stateDir is where envctl keeps what must outlive a run: the credential stores and, while something
// runs, locks. XDG's folders hold on macOS too; ENVCTL_STATE_DIR names another one.
func (a *app) stateDir() string {
	if dir, ok := a.Getenv("ENVCTL_STATE_DIR"); ok && dir != "" {
		return dir
	}
	if dir, ok := a.Getenv("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "envctl")
	}
	return filepath.Join(xdg.Home, ".local", "state", "envctl")
}

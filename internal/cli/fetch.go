package cli

import (
	"context"
	"path/filepath"

	"github.com/adrg/xdg"

	"github.com/envctl/envctl/internal/fetch"
)

// fetched is the cache of what specs name by URL.
func (a *app) fetched() *fetch.Cache {
	return fetch.New(fetch.Options{Dir: filepath.Join(a.cacheDir(), "files")})
}

// cacheDir is where envctl keeps what can be had again. It may be removed while no envctl runs.
func (a *app) cacheDir() string {
	if dir, ok := a.Getenv("ENVCTL_CACHE_DIR"); ok && dir != "" {
		return dir
	}
	if dir, ok := a.Getenv("XDG_CACHE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "envctl")
	}
	return filepath.Join(xdg.Home, ".cache", "envctl")
}

// webFiles fetches what is to be locked, and says so.
type webFiles struct{ *app }

func (w webFiles) Sum(ctx context.Context, url string) (string, error) {
	w.say("Fetching %s.", fetch.Shown(url))
	return w.fetched().Sum(ctx, url, nil)
}

package cli

import (
	"context"
	"path/filepath"

	"github.com/adrg/xdg"

	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/fetch"
)

// fetched gives the cache of what specs name by URL, which is fetched as the user's configuration says.
func (w *world) fetched(ctx context.Context) (*fetch.Cache, error) {
	net, err := w.network(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cache == nil {
		way, err := net.Transport()
		if err != nil {
			return nil, err
		}
		w.cache = fetch.New(fetch.Options{
			Dir: filepath.Join(w.cacheDir(), "files"), Transport: way, Remedy: egress.Remedy(w.configPath(), net),
		})
	}
	return w.cache, nil
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
type webFiles struct{ *world }

func (w webFiles) Sum(ctx context.Context, url string) (string, error) {
	w.say("Fetching %s.", fetch.Shown(url))
	cache, err := w.fetched(ctx)
	if err != nil {
		return "", err
	}
	return cache.Sum(ctx, url, nil)
}

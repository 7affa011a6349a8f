package resolve

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/envspec"
)

// Images asks registries, through an engine, what images are now.
type Images interface {
	// LockImage gives what ref is on a platform now; with pinned false also on the others that teams share.
	LockImage(ctx context.Context, ref, platform string, pinned bool) ([]envspec.LockedImage, error)
}

// Files gives what is at URLs.
type Files interface {
	// Sum fetches what a URL gives now and gives its sha256, lower-case hex.
	Sum(ctx context.Context, url string) (string, error)
}

// Change is one line of a lock that an update wrote or took out.
type Change struct {
	Item string // "image postgres:17 linux/amd64"
	// From and To are digests; From is "" for what is new, To for what the spec no longer names.
	From, To string
	// Local says that To is the id of an image that only this computer's engine has.
	Local bool
}

// askedAtOnce is how many images are asked about at the same time.
const askedAtOnce = 6

// Update gives the lock that holds all that is wanted. What l holds stays, but for what upgrade names (a ref, a
// file's path or a template's source) and for templates, whose folders are edited like the spec. With prune,
// what is not wanted any more goes.
func Update(ctx context.Context, l *envspec.Lock, w *Wants, images Images, files Files, upgrade func(name string) bool, prune bool) (*envspec.Lock, error) {
	if l == nil {
		l = &envspec.Lock{}
	}
	x := newIndex(l)
	next := index{map[imageKey]envspec.LockedImage{}, map[string]envspec.LockedFile{}, map[string]envspec.LockedTemplate{}}
	if !prune {
		next = newIndex(l)
	}
	if err := next.resolve(ctx, x, w, images, upgrade); err != nil {
		return nil, err
	}
	for _, f := range w.Files {
		have, ok := x.files[f.Path]
		if !ok || upgrade(f.Path) {
			if f.URL != "" {
				var err error
				if f.SHA256, err = files.Sum(ctx, f.URL); err != nil {
					return nil, err
				}
			}
			have = envspec.LockedFile{Path: f.Path, SHA256: f.SHA256}
		}
		next.files[f.Path] = have
	}
	for _, t := range w.Templates {
		next.templates[t.Source] = envspec.LockedTemplate{Source: t.Source, SHA256: t.SHA256}
	}
	return next.lock(), nil
}

// resolve asks what the images are that are missing or to be upgraded. An image's other platforms go along.
func (x index) resolve(ctx context.Context, old index, w *Wants, images Images, upgrade func(string) bool) error {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askedAtOnce)
	for _, i := range w.Images {
		if have, ok := old.images[imageKey{i.Ref, i.Platform}]; ok && !upgrade(i.Ref) {
			for k, other := range old.images {
				if k.ref == i.Ref {
					x.put(&mu, other)
				}
			}
			x.put(&mu, have)
			continue
		}
		g.Go(func() error {
			found, err := images.LockImage(ctx, i.Ref, i.Platform, i.Pinned)
			for _, f := range found {
				_, had := old.images[imageKey{f.Ref, f.Platform}]
				if f.Platform == i.Platform || !had || upgrade(i.Ref) {
					x.put(&mu, f)
				}
			}
			return err
		})
	}
	return g.Wait()
}

func (x index) put(mu *sync.Mutex, i envspec.LockedImage) {
	mu.Lock()
	defer mu.Unlock()
	x.images[imageKey{i.Ref, i.Platform}] = i
}

func (x index) lock() *envspec.Lock {
	l := &envspec.Lock{}
	for _, i := range x.images {
		l.Images = append(l.Images, i)
	}
	for _, f := range x.files {
		l.Files = append(l.Files, f)
	}
	for _, t := range x.templates {
		l.Templates = append(l.Templates, t)
	}
	return l
}

// Changes lists what differs between two locks, sorted. A nil lock is an empty one.
func Changes(from, to *envspec.Lock) (list []Change) {
	type line struct {
		value string
		local bool
	}
	lines := func(l *envspec.Lock) map[string]line {
		m := map[string]line{}
		if l == nil {
			return m
		}
		for _, i := range l.Images {
			m["image "+i.Ref+" "+i.Platform] = line{i.Digest + i.LocalID, i.LocalID != ""}
		}
		for _, f := range l.Files {
			m["file "+f.Path] = line{value: "sha256:" + f.SHA256}
		}
		for _, t := range l.Templates {
			m["template "+t.Source] = line{value: "sha256:" + t.SHA256}
		}
		return m
	}
	was, is := lines(from), lines(to)
	for item, now := range is {
		if before := was[item]; before != now {
			list = append(list, Change{Item: item, From: before.value, To: now.value, Local: now.local})
		}
	}
	for item, before := range was {
		if _, ok := is[item]; !ok {
			list = append(list, Change{Item: item, From: before.value})
		}
	}
	slices.SortFunc(list, func(a, b Change) int {
		if a.Item < b.Item {
			return -1
		}
		return 1
	})
	return list
}

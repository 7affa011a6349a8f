package watch

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Container is where files are brought to. Paths are absolute, with slashes.
type Container interface {
	// Archive reads what is at a path, without following a link that is there, as a tar archive whose names begin with
	// the path's last part. Where nothing is, the error wraps fs.ErrNotExist.
	Archive(ctx context.Context, path string) (io.ReadCloser, error)
	// Root is the folder that an archive for a path is unpacked in.
	Root(path string) string
	// Unpack unpacks an archive in a Root; a file may take a folder's place.
	Unpack(ctx context.Context, root string, archive io.Reader) error
	// Delete takes files and folders away. The error wraps ErrNotRunning where that needs it to run.
	Delete(ctx context.Context, paths []string) error
}

// ErrNotRunning is wrapped by the errors of what a container that does not run cannot do.
var ErrNotRunning = errors.New("it is not running")

// Mirror brings what the rules speak of over to one container and knows what it has. It is for one goroutine at a time.
type Mirror struct {
	rules  *Rules
	to     Container
	want   tree // as the host was when it was last looked at
	have   tree // as the container is, as far as it is known
	owners map[string]owner
	wrote  map[string]string // what the record in the container says
	whole  bool              // everything was brought over once
}

// NewMirror makes one for a container of which nothing is known yet.
func NewMirror(r *Rules, to Container) *Mirror {
	return &Mirror{rules: r, to: to, want: newTree(), have: newTree(), owners: map[string]owner{}}
}

// Result is what was brought over, and what that calls for.
type Result struct {
	Put, Deleted int
	Bytes        int64
	Calls
	Why string // one of the files that call for it, from the spec's folder
}

// record is the file in a container that says what was brought over: its path there, and what it is called from the
// spec's folder. With it, a later run knows what has been deleted meanwhile.
const record = ".envctl-watch"

// Whole compares everything with what the container holds and brings over what differs.
func (m *Mirror) Whole(ctx context.Context) (Result, error) {
	want, err := m.rules.scan(ctx)
	if err != nil {
		return Result{}, err
	}
	only := m.have.only
	if !m.whole {
		only = want.only // what happened before anyone watched calls for nothing
	}
	m.want, m.have, m.owners = want, tree{map[string]entry{}, only}, map[string]owner{}
	if m.rules.Sync() {
		if err := m.readRecord(ctx); err != nil {
			return Result{}, err
		}
		if err := m.compare(ctx); err != nil {
			return Result{}, err
		}
	}
	r, err := m.bring(ctx, func(_, _ entry) bool { return false })
	m.whole = m.whole || err == nil
	return r, err
}

// Batch brings over what a batch tells of. After an error, the same is to be tried again.
func (m *Mirror) Batch(ctx context.Context, b Batch) (Result, error) {
	if !m.whole {
		return m.Whole(ctx)
	}
	if b.all || len(b.paths) > 64 {
		want, err := m.rules.scan(ctx)
		if err != nil {
			return Result{}, err
		}
		m.want = want
	} else {
		for file := range b.paths {
			if err := m.rules.look(ctx, m.want, file); err != nil {
				return Result{}, err
			}
		}
	}
	return m.bring(ctx, func(e, was entry) bool { return b.paths[e.path] || b.all && was.doubtful() })
}

// compare finds out what the container has already. It asks for what the host has at the top of each folder, and not
// for the whole folder, which may hold much more; where there is a lot at the top, it asks for the folder after all.
func (m *Mirror) compare(ctx context.Context) error {
	limit := int64(64 << 20)
	tops := map[string]map[string]bool{}
	for _, b := range m.rules.blocks {
		if b.sync != "" {
			tops[b.sync] = map[string]bool{}
		}
	}
	for key, e := range m.want.sync {
		limit += 2 * e.info.Size()
		rest := strings.TrimPrefix(key, strings.TrimSuffix(e.rule.sync, "/")+"/")
		top, _, _ := strings.Cut(rest, "/")
		tops[e.rule.sync][path.Join(e.rule.sync, top)] = true
	}
	for dir, names := range tops {
		if err := m.compareOne(ctx, dir, 1<<10); err != nil { // its owner
			return err
		}
		if _, there := m.owners[dir]; !there && dir != "/" {
			continue
		}
		list := slices.Sorted(maps.Keys(names))
		if len(list) > 16 && dir != "/" {
			list = []string{dir}
		}
		for _, name := range list {
			if err := m.compareOne(ctx, name, limit); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Mirror) compareOne(ctx context.Context, name string, limit int64) error {
	r, err := m.to.Archive(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	return compare(r, path.Dir(name), m.want.sync, m.have.sync, m.owners, limit)
}

// readRecord adds to have what an earlier run brought over and the host has no more.
func (m *Mirror) readRecord(ctx context.Context) error {
	m.wrote = map[string]string{}
	for root := range m.roots() {
		r, err := m.to.Archive(ctx, path.Join(root, record))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		t := tar.NewReader(r)
		was := map[string]string{}
		if _, err = t.Next(); err == nil {
			err = json.NewDecoder(t).Decode(&was)
		}
		r.Close()
		if err != nil {
			continue // a damaged record: nothing is deleted for it
		}
		maps.Copy(m.wrote, was)
		for key, name := range was {
			rule := m.ruleFor(key)
			if _, there := m.want.sync[key]; there || rule == nil {
				continue
			}
			file := filepath.Join(rule.dir, filepath.FromSlash(name))
			if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
				m.have.sync[key] = entry{path: file, name: name, rule: rule}
			}
		}
	}
	return nil
}

func (m *Mirror) ruleFor(key string) *rule {
	for _, b := range m.rules.blocks {
		if _, in := strings.CutPrefix(key, strings.TrimSuffix(b.sync, "/")+"/"); b.sync != "" && in {
			return b
		}
	}
	return nil
}

// roots gives what is wanted in each folder that archives are unpacked in.
func (m *Mirror) roots() map[string][]string {
	roots := map[string][]string{}
	for _, b := range m.rules.blocks {
		if b.sync != "" {
			roots[m.to.Root(b.sync)] = nil
		}
	}
	for key, e := range m.want.sync {
		root := m.to.Root(e.rule.sync)
		roots[root] = append(roots[root], key)
	}
	return roots
}

// bring brings over what differs.
func (m *Mirror) bring(ctx context.Context, touched func(e, was entry) bool) (Result, error) {
	var r Result
	only := diff(m.want.only, m.have.only, touched)
	for _, key := range only.put {
		r.call(m.want.only[key])
	}
	for _, key := range only.gone {
		r.call(m.have.only[key])
	}
	m.have.only = maps.Clone(m.want.only)

	d := diff(m.want.sync, m.have.sync, touched)
	if err := m.put(ctx, &r, d.put); err != nil {
		return r, err
	}
	if len(d.gone) > 0 {
		tops := outermost(d.gone)
		err := m.to.Delete(ctx, tops)
		if err != nil && !errors.Is(err, ErrNotRunning) {
			return r, err
		}
		if err == nil { // else they are still there, and go when it runs
			for _, key := range d.gone {
				r.call(m.have.sync[key])
				delete(m.have.sync, key)
			}
			r.Deleted = len(tops)
		}
	}
	for key := range m.have.sync {
		if displaced(m.want.sync, key) {
			delete(m.have.sync, key)
		}
	}
	return r, nil
}

func (r *Result) call(e entry) {
	if e.rule == nil || e.info != nil && e.info.IsDir() {
		return
	}
	calls := e.rule.calls(e.name)
	if r.add(calls); r.Why == "" && calls != (Calls{}) {
		r.Why = e.name
	}
}

// put sends entries, one archive for each root, and with them the record where it is another one.
func (m *Mirror) put(ctx context.Context, r *Result, keys []string) error {
	say := map[string]string{}
	for key, e := range m.want.sync {
		say[key] = e.name
	}
	recorded := maps.Equal(say, m.wrote)
	if len(keys) == 0 && recorded {
		return nil
	}
	for root := range m.roots() {
		var mine []string
		for _, key := range keys {
			if m.to.Root(m.want.sync[key].rule.sync) == root {
				mine = append(mine, key)
			}
		}
		if len(mine) == 0 && recorded {
			continue
		}
		with := say
		if recorded {
			with = nil
		}
		sent, err := m.send(ctx, root, mine, with)
		if err != nil {
			return err
		}
		for _, p := range sent {
			m.have.sync[p.key] = p.entry
			r.call(p.entry)
			r.Bytes += p.bytes
			if !p.info.IsDir() {
				r.Put++
			}
		}
	}
	m.wrote = say
	return nil
}

// send streams one archive, with a record where one is given; packing and unpacking go on at the same time.
func (m *Mirror) send(ctx context.Context, root string, keys []string, say map[string]string) (sent []packed, err error) {
	out, in := io.Pipe()
	packing := make(chan error, 1)
	go func() {
		t := tar.NewWriter(in)
		err := func() error {
			for _, key := range keys {
				o := m.ownerOf(key)
				p, there, err := pack(t, m.want.sync[key], trimSlash(strings.TrimPrefix(key, root)), o)
				if err != nil {
					return err
				}
				if there {
					p.key, m.owners[key] = key, o
					sent = append(sent, p)
				}
			}
			if say != nil {
				if err := packRecord(t, say); err != nil {
					return err
				}
			}
			return t.Close()
		}()
		in.CloseWithError(err)
		packing <- err
	}()
	err = m.to.Unpack(ctx, root, out)
	_ = out.Close()
	if perr := <-packing; perr != nil && !errors.Is(perr, io.ErrClosedPipe) {
		return nil, perr
	}
	if err != nil {
		return nil, fmt.Errorf("syncing: %w", err)
	}
	return sent, nil
}

func packRecord(t *tar.Writer, say map[string]string) error {
	text, err := json.Marshal(say)
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: record, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now()}); err != nil {
		return err
	}
	_, err = t.Write(text)
	return err
}

// ownerOf is who a file belongs to there already, or else whom its folder belongs to.
func (m *Mirror) ownerOf(key string) owner {
	for p := key; ; p = path.Dir(p) {
		if o, known := m.owners[p]; known || p == "/" {
			return o
		}
	}
}

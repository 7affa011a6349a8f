package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/tarball"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
)

func (a *app) cpCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cp SRC DST",
		Short: "Copy files to and from containers and Windows machines",
		Long: `Copy a file or a folder between this computer and a container, running or not, or a Windows machine. One of the two is
written ADDRESS:PATH. What is copied into a folder that is there keeps its name; a source that ends in "/." stands
for what is in it. A path of this computer that holds a colon begins with "./".`,
		Example: `  envctl cp db:/var/lib/postgresql/data/postgresql.conf .
  envctl cp ./seed db:/tmp
  envctl cp windows.pas:C:/PAS/logs ./logs`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return a.cp(args[0], args[1]) },
	}
	a.specFlags(c)
	return c
}

// copier is a provider whose resources have files. The archives are tar's; what Get writes begins with an
// entry for what was asked for, under its own name.
type copier interface {
	Stat(ctx context.Context, o providers.Observed, path string) (mode fs.FileMode, there bool, err error)
	Get(ctx context.Context, o providers.Observed, path string, w io.Writer) error
	Put(ctx context.Context, o providers.Observed, dir string, archive io.Reader) error
}

// remote is a path of a resource, with slashes.
type remote struct {
	copier
	o    providers.Observed
	path string
}

func (r remote) String() string { return r.o.Addr.String() + ":" + r.path }

func (a *app) cp(src, dst string) error {
	srcName, srcPath, fromThere := splitRemote(src)
	dstName, dstPath, toThere := splitRemote(dst)
	switch {
	case src == "-" || dst == "-":
		return usagef("\"-\" is no file; \"envctl exec ADDRESS -- cat PATH\" prints one")
	case fromThere && toThere:
		return usagef("one of the two has to be on this computer; copy by way of a file here")
	case !fromThere && !toThere:
		return usagef("neither %q nor %q is of the form ADDRESS:PATH, as in db:/tmp/x", src, dst)
	}
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	ctx := a.interrupts.stop
	var n tarball.Count
	if fromThere {
		var r remote
		if r, err = s.remote(ctx, srcName, srcPath); err == nil {
			n, err = r.bring(ctx, a.abs(dst), strings.HasSuffix(dst, "/"))
		}
	} else {
		var r remote
		if r, err = s.remote(ctx, dstName, dstPath); err == nil {
			n, err = r.send(ctx, a.abs(src), strings.HasSuffix(filepath.ToSlash(src), "/."))
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	for _, name := range n.Skipped {
		a.say("Left out %s, which is neither a file nor a folder.", name)
	}
	a.say("Copied %d file(s), %s.", n.Files, view.Size(n.Bytes))
	return nil
}

// splitRemote reads ADDRESS:PATH. A key may hold a colon, and so may a path here that says that it is one.
func splitRemote(text string) (name, path string, ok bool) {
	if filepath.IsAbs(text) || strings.HasPrefix(text, ".") {
		return "", "", false
	}
	at := strings.Index(text, ":")
	if key := strings.Index(text, `"]`); key >= 0 && at >= 0 && strings.Contains(text[:key], `["`) {
		at = key + 2
		if !strings.HasPrefix(text[at:], ":") {
			return "", "", false
		}
	}
	if at <= 0 {
		return "", "", false
	}
	return text[:at], text[at+1:], true
}

func (s *session) remote(ctx context.Context, name, path string) (remote, error) {
	target, is, err := s.one(ctx, name)
	if err != nil {
		return remote{}, err
	}
	if path == "" {
		return remote{}, usagef("%s: a path is missing after the colon", name)
	}
	if target.Kind != addr.Windows {
		return remote{s.docker, is, path}, nil
	}
	o, err := s.machineHere(ctx, target)
	return remote{s.windows, o, strings.ReplaceAll(path, `\`, "/")}, err
}

// bring copies from the resource to this computer. Slash says that dst was written as a folder.
func (r remote) bring(ctx context.Context, dst string, slash bool) (tarball.Count, error) {
	contents := strings.HasSuffix(r.path, "/.")
	mode, there, err := r.Stat(ctx, r.o, r.path)
	if err != nil {
		return tarball.Count{}, err
	}
	if !there {
		return tarball.Count{}, fmt.Errorf("%s is not there", r)
	}
	dir, name := filepath.Dir(dst), filepath.Base(dst)
	switch is, err := os.Stat(dst); {
	case err == nil && is.IsDir():
		dir, name = dst, path.Base(path.Clean(r.path))
		if contents || name == "/" {
			name = "."
		}
	case err == nil && mode.IsDir():
		return tarball.Count{}, fmt.Errorf("%s is a folder, and %s is a file", r, dst)
	case err != nil && slash && !mode.IsDir():
		return tarball.Count{}, fmt.Errorf("the folder %s is not there; make it first", dst)
	}
	pr, pw := io.Pipe()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := r.Get(ctx, r.o, r.path, pw)
		return errors.Join(err, pw.CloseWithError(err))
	})
	var n tarball.Count
	g.Go(func() (err error) {
		n, err = tarball.Unpack(pr, dir, name)
		if err == nil {
			_, err = io.Copy(io.Discard, pr) // what pads an archive's end
		}
		_ = pr.CloseWithError(err)
		return err
	})
	err = g.Wait()
	return n, err
}

// send copies from this computer to the resource.
func (r remote) send(ctx context.Context, src string, contents bool) (tarball.Count, error) {
	src, err := filepath.EvalSymlinks(src)
	if err != nil {
		return tarball.Count{}, err
	}
	is, err := os.Stat(src)
	if err != nil {
		return tarball.Count{}, err
	}
	dir, name, err := r.place(ctx, filepath.Base(src), is.IsDir(), contents)
	if err != nil {
		return tarball.Count{}, err
	}
	pr, pw := io.Pipe()
	g, ctx := errgroup.WithContext(ctx)
	var n tarball.Count
	g.Go(func() (err error) {
		n, err = tarball.Pack(pw, src, name)
		_ = pw.CloseWithError(err)
		return err
	})
	g.Go(func() error {
		err := r.Put(ctx, r.o, dir, pr)
		_ = pr.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		return err
	})
	err = g.Wait()
	return n, err
}

// place says in which folder of the resource something goes, and under which name.
func (r remote) place(ctx context.Context, base string, folder, contents bool) (dir, name string, err error) {
	mode, there, err := r.Stat(ctx, r.o, r.path)
	switch {
	case err != nil:
		return "", "", err
	case there && mode.IsDir():
		if contents {
			base = "."
		}
		return r.path, base, nil
	case there && folder:
		return "", "", fmt.Errorf("%s is a file; it is not replaced by a folder", r)
	case !there && strings.HasSuffix(r.path, "/") && !folder:
		return "", "", fmt.Errorf("the folder %s is not there; make it first with \"envctl exec\"", r)
	}
	clean := path.Clean(r.path)
	dir, name = path.Dir(clean), path.Base(clean)
	if mode, there, err = r.Stat(ctx, r.o, dir); err != nil {
		return "", "", err
	}
	if !there || !mode.IsDir() {
		return "", "", fmt.Errorf("the folder of %s is not there; make it first with \"envctl exec\"", r)
	}
	return dir, name, nil
}

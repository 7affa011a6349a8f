package windows

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/pkg/sftp"

	"github.com/envctl/envctl/internal/event"
	"github.com/envctl/envctl/internal/guestproto"
)

// uploadReport is how often an upload says how far it is.
const uploadReport = 200 * time.Millisecond

// upload brings what the layers bring in into the helper's cache. What is there already is not sent again: files there
// have their content's hash for a name, and appear under it whole or not at all.
func (r *run) upload(ctx context.Context, c *conn, layers []guestproto.Layer) error {
	var files *sftp.Client
	defer func() {
		if files != nil {
			_ = files.Close()
		}
	}()
	sent := map[string]bool{}
	for _, l := range layers {
		src := l.Source()
		if src == nil || sent[src.SHA256] {
			continue
		}
		sent[src.SHA256] = true
		path, err := r.local(ctx, l.ID(), src, r.report)
		if err != nil {
			return fmt.Errorf("%s: %w", l.ID(), err)
		}
		if files == nil {
			if files, err = sftp.NewClient(c.client, sftp.UseConcurrentWrites(true)); err != nil {
				return fmt.Errorf("file transfer to %s: %w", endpoint(r.machine), c.because(ctx, err))
			}
			defer context.AfterFunc(ctx, func() { _ = files.Close() })()
		}
		if err := r.uploadOne(ctx, c, files, l.ID(), *src, path); err != nil {
			return fmt.Errorf("%s: upload %s: %w", l.ID(), src.Name, c.because(ctx, err))
		}
	}
	return nil
}

func (r *run) uploadOne(ctx context.Context, c *conn, files *sftp.Client, layer string, src guestproto.Source, from string) error {
	final := guestproto.CacheFile(c.greeting.DataDir, src.SHA256)
	local, err := os.Open(from)
	if err != nil {
		return err
	}
	defer local.Close()
	info, err := local.Stat()
	if err != nil {
		return err
	}
	if there, err := files.Stat(final); err == nil && there.Size() == info.Size() {
		return nil
	}
	if err := files.MkdirAll(path.Dir(final)); err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}
	part := final + "." + rand.Text()[:8] + ".part"
	err = r.send(ctx, files, part, layer, src, local, info.Size())
	if err == nil {
		err = replace(files, part, final)
	}
	if err != nil {
		_ = files.Remove(part)
	}
	return err
}

// send writes local to a remote file and sees that it was what the plan hashed.
func (r *run) send(ctx context.Context, files *sftp.Client, to, layer string, src guestproto.Source, local io.Reader, size int64) error {
	remote, err := files.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	sum := sha256.New()
	from := &counted{r: io.TeeReader(local, sum), size: size, say: func(n int64) {
		r.report(event.Event{Type: event.Progress, Layer: layer, Message: "upload " + src.Name, Current: n, Total: size})
	}}
	_, err = remote.ReadFrom(from)
	if closeErr := remote.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != src.SHA256 {
		return fmt.Errorf("%s changed since the plan was made (sha256 %s, planned %s): run again", src.Where(), got, src.SHA256)
	}
	from.say(size)
	return ctx.Err()
}

// replace puts a finished upload under its name. Another envctl may have been faster with the same content.
func replace(files *sftp.Client, part, final string) error {
	if err := files.PosixRename(part, final); err == nil {
		return nil
	}
	_ = files.Remove(final)
	return files.Rename(part, final)
}

// counted tells now and then how much was read. Size lets sftp write many packets at once.
type counted struct {
	r    io.Reader
	n    int64
	size int64
	last time.Time
	say  func(int64)
}

// Size is what sftp asks for.
func (c *counted) Size() int64 { return c.size }

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if now := time.Now(); now.Sub(c.last) >= uploadReport {
		c.last = now
		c.say(c.n)
	}
	return n, err
}

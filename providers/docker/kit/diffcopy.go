package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Kinds of the packets in which files go (tonistiigi/fsutil, types/wire.proto).
const (
	packetStat = iota
	packetRequest
	packetData
	packetEnd
	packetError
)

// diffCopy tells what is in a folder, and then gives the content of each file that BuildKit asks for.
func (s *Session) diffCopy(st *stream) error {
	name := ""
	if names := option(st, "Dir-Name"); len(names) > 0 {
		name = names[0]
	}
	dir, ok := s.Dirs[name]
	if !ok {
		return refusal{notFound, fmt.Sprintf("the build has no folder %q", name)}
	}
	files, err := dir.filter(option(st, "Include-Patterns"), option(st, "Exclude-Patterns"), option(st, "Followpaths"))
	if err != nil {
		return err
	}
	c := &copying{stream: st, files: files, wanted: make(chan uint32, 128)}
	g, ctx := errgroup.WithContext(st.request.Context())
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = st.response.SetReadDeadline(time.Unix(1, 0)) // so that demand ends too
	})
	defer func() {
		if !stop() {
			<-ended // whose response is gone once this has returned
		}
	}()
	g.Go(func() error { return c.tell(ctx) })
	g.Go(func() error { return c.demand(ctx) })
	g.Go(func() error { return c.deliver(ctx) })
	return g.Wait()
}

// option gives the values of a header. Those with characters that a header cannot hold come escaped.
func option(st *stream, name string) []string {
	values := st.request.Header.Values(name)
	if st.request.Header.Get(name+"-Encoded") != "1" {
		return values
	}
	plain := make([]string, len(values))
	for i, v := range values {
		plain[i], _ = url.QueryUnescape(v) // as BuildKit's own client: what cannot be read is empty
	}
	return plain
}

// copying is one such call.
type copying struct {
	*stream
	sending sync.Mutex
	files   []File
	wanted  chan uint32 // files by their number, as they are asked for
}

// put sends a packet, and sees to it that it is on its way where nothing may come after it for a while.
func (c *copying) put(kind, file uint64, stat, data []byte, last bool) error {
	msg := putNumber(nil, 1, kind)
	msg = putBytes(msg, 2, stat)
	msg = putBytes(putNumber(msg, 3, file), 4, data)
	c.sending.Lock()
	defer c.sending.Unlock()
	if err := c.send(msg); err != nil || !last {
		return err
	}
	return c.flush()
}

// tell says what there is, and ends with a packet without anything.
func (c *copying) tell(ctx context.Context) error {
	for _, f := range c.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.put(packetStat, 0, f.stat(), nil, false); err != nil {
			return err
		}
	}
	return c.put(packetStat, 0, nil, nil, true)
}

// demand takes what BuildKit asks for until it has all.
func (c *copying) demand(ctx context.Context) error {
	defer close(c.wanted)
	for {
		msg, err := c.receive()
		if err != nil {
			return fmt.Errorf("what BuildKit asks for: %w", err)
		}
		var kind, file uint64
		var data string
		if err := fields(msg, func(field int, n uint64, b []byte) error {
			switch field {
			case 1:
				kind = n
			case 3:
				file = n
			case 4:
				data = string(b)
			}
			return nil
		}); err != nil {
			return err
		}
		switch kind {
		case packetRequest:
			if file >= uint64(len(c.files)) || c.files[file].Open == nil {
				return fmt.Errorf("BuildKit asks for file %d, which there is not", file)
			}
			select {
			case c.wanted <- uint32(file):
			case <-ctx.Done():
				return ctx.Err()
			}
		case packetEnd:
			return c.put(packetEnd, 0, nil, nil, true)
		case packetError:
			return errors.New("BuildKit ended the copying: " + data)
		}
	}
}

// deliver sends what was asked for, each file's end as a packet without data.
func (c *copying) deliver(ctx context.Context) error {
	buf := make([]byte, chunk)
	for file := range c.wanted {
		if err := c.content(ctx, file, buf); err != nil {
			return err
		}
	}
	return nil
}

func (c *copying) content(ctx context.Context, file uint32, buf []byte) error {
	f, err := c.files[file].Open()
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		n, err := f.Read(buf)
		if n > 0 {
			if err := c.put(packetData, uint64(file), nil, buf[:n], false); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return c.put(packetData, uint64(file), nil, nil, true)
		case err != nil:
			return fmt.Errorf("read %s: %w", c.files[file].Path, err)
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

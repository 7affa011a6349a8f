package envspec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
)

// sums remembers the sha256 of files, so that each is read once however often it is asked for.
type sums struct {
	mu   sync.Mutex
	done map[string]fileSum
}

type fileSum struct {
	sha256 string
	size   int64
	err    error
}

func (s *sums) sum(path string) (sha string, size int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, ok := s.done[path]
	if !ok {
		got = sumFile(path)
		s.done[path] = got
	}
	return got.sha256, got.size, got.err
}

func sumFile(path string) fileSum {
	f, err := os.Open(path)
	if err != nil {
		return fileSum{err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fileSum{err: err}
	}
	if !info.Mode().IsRegular() {
		return fileSum{err: fmt.Errorf("%s is not a file", path)}
	}
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return fileSum{err: err}
	}
	return fileSum{sha256: hex.EncodeToString(h.Sum(nil)), size: size}
}

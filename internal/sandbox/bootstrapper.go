//go:build unix

package sandbox

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/envctl/envctl/internal/bootstrap"
)

// bootstrapper does what bootstrap's script does, read by read and line by line: Wine has no
// PowerShell to run it. It knows that one script and nothing else.
type bootstrapper struct {
	drives prefix
	want   string
	dst    string
	gz     *os.File
}

func runBootstrap(drives prefix) Process {
	return runBuiltin(func(stdin io.Reader, stdout, stderr io.Writer) uint32 {
		b := &bootstrapper{drives: drives}
		defer b.clean()
		if err := b.run(stdin, stdout); err != nil {
			fmt.Fprintf(stderr, "envctl bootstrap: %v (an antivirus program may have blocked it)\r\n", err)
			return 1
		}
		return 0
	})
}

func (b *bootstrapper) run(stdin io.Reader, stdout io.Writer) error {
	r := bufio.NewReaderSize(stdin, 128<<10)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			line = bytes.TrimRight(line, "\r\n")
			over, err := b.line(line, stdout)
			if err != nil || over {
				return err
			}
		}
		if err == io.EOF {
			return b.finish(stdout)
		}
		if err != nil {
			return err
		}
	}
}

// line takes one line of stdin; over says that the script ends there.
func (b *bootstrapper) line(line []byte, stdout io.Writer) (over bool, err error) {
	switch {
	case b.want == "":
		return b.header(string(line), stdout)
	case string(line) == bootstrap.End:
		return true, b.finish(stdout)
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Decode(data, line)
	if err != nil {
		return false, errors.New("the input is not a valid Base-64 string")
	}
	_, err = b.gz.Write(data[:n])
	return false, err
}

func (b *bootstrapper) header(line string, stdout io.Writer) (over bool, err error) {
	want, dst, ok := strings.Cut(strings.TrimSpace(line), " ")
	if !ok {
		return false, errors.New("value cannot be null")
	}
	want = strings.ToLower(want)
	if b.dst, err = b.drives.path(dst); err != nil {
		return false, err
	}
	if sum, err := fileSum(b.dst); err == nil && sum == want {
		fmt.Fprintf(stdout, "%s %s\r\n", bootstrap.Have, want)
		return true, nil
	}
	b.want = want
	if err := os.MkdirAll(filepath.Dir(b.dst), 0o755); err != nil {
		return false, err
	}
	if b.gz, err = os.CreateTemp(filepath.Dir(b.dst), filepath.Base(b.dst)+".*.gz"); err != nil {
		return false, err
	}
	fmt.Fprintf(stdout, "%s %s\r\n", bootstrap.Need, want)
	return false, nil
}

func (b *bootstrapper) finish(stdout io.Writer) error {
	if b.want == "" {
		return errors.New("no header came")
	}
	tmp := strings.TrimSuffix(b.gz.Name(), ".gz")
	defer os.Remove(tmp)
	if err := b.unpack(tmp); err != nil {
		return err
	}
	sum, err := fileSum(tmp)
	if err != nil {
		return err
	}
	if sum != b.want {
		return errors.New("the sha256 of what arrived is wrong")
	}
	if err := os.Rename(tmp, b.dst); err != nil {
		return err
	}
	b.clean()
	fmt.Fprintf(stdout, "%s %s\r\n", bootstrap.OK, b.want)
	return nil
}

func (b *bootstrapper) unpack(to string) error {
	if _, err := b.gz.Seek(0, io.SeekStart); err != nil {
		return err
	}
	z, err := gzip.NewReader(b.gz)
	if err != nil {
		return fmt.Errorf("the data is no gzip stream: %w", err)
	}
	w, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, z)
	return errors.Join(err, w.Close())
}

func (b *bootstrapper) clean() {
	if b.gz != nil {
		_ = b.gz.Close()
		_ = os.Remove(b.gz.Name())
	}
}

func fileSum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

package remote

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/envctl/envctl/internal/bootstrap"
	"github.com/envctl/envctl/providers/windows/winrm"
)

// helperPath is the helper's place on a machine, by its content: another version has another, and
// one that runs is never overwritten.
func helperPath(sum string) (string, error) {
	if b, err := hex.DecodeString(sum); err != nil || len(b) != 32 {
		return "", fmt.Errorf("the helper's sha256 %q is not 64 hexadecimal digits", sum)
	}
	return `%ProgramData%\envctl\bin\` + sum[:16] + `\envctl-guest.exe`, nil
}

// bring uploads the helper through bootstrap's command.
func bring(ctx context.Context, shell *winrm.Shell, helper string, m Machine) error {
	var sum [32]byte
	if _, err := hex.Decode(sum[:], []byte(m.HelperSHA256)); err != nil {
		return err
	}
	header, err := bootstrap.Header(sum, helper)
	if err != nil {
		return err
	}
	cmd, err := shell.Start(ctx, bootstrap.Command(), winrm.CommandOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = cmd.Close() }()
	var stderr strings.Builder
	var reading sync.WaitGroup
	reading.Go(func() {
		_, _ = io.Copy(&stderr, io.LimitReader(cmd.Stderr(), 64<<10))
		_, _ = io.Copy(io.Discard, cmd.Stderr())
	})
	err = upload(cmd, header, m)
	if err != nil {
		// What the command says of it is worth more, where it has ended.
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.ErrClosedPipe) {
			_ = cmd.Close()
		}
	}
	code, werr := cmd.Wait()
	reading.Wait()
	switch {
	case werr != nil && !errors.Is(werr, winrm.ErrClosed):
		return werr
	case code != 0:
		return fmt.Errorf("PowerShell ended with %d: %s: allow it to write there, or put the helper there beforehand", code,
			strings.Join(strings.Fields(winrm.DecodeCLIXML(stderr.String())), " "))
	}
	return err
}

// upload is the talk with bootstrap's command, until it has said how it went.
func upload(cmd *winrm.Command, header string, m Machine) error {
	if _, err := io.WriteString(cmd.Stdin(), header+"\n"); err != nil {
		return err
	}
	answers := bufio.NewReader(cmd.Stdout())
	word, err := answer(answers, m.HelperSHA256)
	if err != nil || word == bootstrap.Have {
		_ = cmd.Stdin().Close()
		return err
	}
	if word != bootstrap.Need {
		return fmt.Errorf("the upload's command answered %q", word)
	}
	total := len(m.HelperGzip)
	for sent := 0; sent < total; {
		n := min(bootstrap.LineBytes, total-sent)
		if _, err := io.WriteString(cmd.Stdin(), bootstrap.Line(m.HelperGzip[sent:sent+n])+"\n"); err != nil {
			return err
		}
		sent += n
		if m.Progress != nil {
			m.Progress(int64(sent), int64(total))
		}
	}
	if _, err := io.WriteString(cmd.Stdin(), bootstrap.End+"\n"); err != nil {
		return err
	}
	if word, err = answer(answers, m.HelperSHA256); err == nil && word != bootstrap.OK {
		err = fmt.Errorf("the upload's command answered %q", word)
	}
	_ = cmd.Stdin().Close() // it has ended already, or does now
	return err
}

// answer reads lines until one has the file's sha256, and gives its first word.
func answer(r *bufio.Reader, sum string) (string, error) {
	for {
		line, err := r.ReadString('\n')
		if word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); rest == sum {
			return word, nil
		}
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("the upload's command ended too soon: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return "", err
		}
	}
}

package credential

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/envctl/envctl/envspec"
)

// MissingError says that the place a credential block names has no value.
type MissingError struct {
	Credential string // the block's name
	Place      string // "environment variable PAS_PASSWORD"
	Next       string // what to do about it
}

// Error names the block, the place and what to do.
func (e *MissingError) Error() string {
	return fmt.Sprintf("credential %s: there is no %s; %s", e.Credential, e.Place, e.Next)
}

// read gives a value that is not ours.
func (p *Planner) read(ctx context.Context, s envspec.CredentialSource) (envspec.CredentialValue, error) {
	var v envspec.CredentialValue
	var err error
	switch {
	case s.Env != nil:
		v, err = p.readEnv(s)
	case s.File != nil:
		v.Password, err = p.readFile(s)
	case len(s.Command) > 0:
		v.Password, err = p.run(ctx, s)
	case s.Keychain != nil:
		v.Password, err = p.readKeychain(s)
	default:
		err = fmt.Errorf("credential %s says nowhere to take its value from", s.Name)
	}
	if err != nil {
		return envspec.CredentialValue{}, err
	}
	v.Username = cmp.Or(s.Username, v.Username)
	return v, nil
}

func (p *Planner) readEnv(s envspec.CredentialSource) (v envspec.CredentialValue, err error) {
	get := func(name string) string {
		value, ok := p.environ(name)
		if (!ok || value == "") && err == nil {
			err = &MissingError{s.Name, "environment variable " + name, "set it and run the command again"}
		}
		return value
	}
	if s.Env.Username != "" {
		v.Username = get(s.Env.Username)
	}
	v.Password = get(s.Env.Password)
	return v, err
}

func (p *Planner) readFile(s envspec.CredentialSource) (string, error) {
	path := s.File.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Dir, path)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &MissingError{s.Name, "file " + path, "put the password on its first line"}
	}
	if err != nil {
		return "", fmt.Errorf("credential %s: %w", s.Name, err)
	}
	return firstLine(s.Name, "line in "+path, text)
}

func (p *Planner) run(ctx context.Context, s envspec.CredentialSource) (string, error) {
	cmd := exec.CommandContext(ctx, s.Command[0], s.Command[1:]...)
	cmd.Dir, cmd.Stderr = p.Dir, p.Stderr
	out, err := cmd.Output()
	if err != nil {
		// Only its name: an argument may be a token.
		return "", fmt.Errorf("credential %s: its command %s: %w; run it by hand to see what it says", s.Name, s.Command[0], err)
	}
	return firstLine(s.Name, "output of its command "+s.Command[0], out)
}

func (p *Planner) readKeychain(s envspec.CredentialSource) (string, error) {
	place := fmt.Sprintf("keychain item %s for %s", s.Keychain.Service, s.Keychain.Account)
	if p.store.keys.keychain == nil {
		return "", &MissingError{s.Name, "keychain on this computer", "give the credential in another way: env, file or command"}
	}
	password, err := p.store.keys.keychain.Get(s.Keychain.Service, s.Keychain.Account)
	if errors.Is(err, ErrNotInKeychain) {
		return "", &MissingError{s.Name, place, "add it with the system's own tool"}
	}
	if err != nil {
		return "", fmt.Errorf("credential %s: %s: %w", s.Name, place, err)
	}
	return password, nil
}

func firstLine(name, place string, text []byte) (string, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	password := strings.TrimSuffix(string(line), "\r")
	if password == "" {
		return "", &MissingError{name, place, "it must begin with the password"}
	}
	return password, nil
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"

	defaultLength = 24
	minLength     = 8
)

// generate makes a password that has a letter of each case and a digit, as Windows asks for by default. No
// sign in it needs quoting anywhere.
func generate(length int) (string, error) {
	length = cmp.Or(length, defaultLength)
	if length < minLength {
		return "", fmt.Errorf("a generated password of %d signs is too short; the least is %d", length, minLength)
	}
	const all = lower + upper + digits
	for {
		b := make([]byte, length)
		for i := range b {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(len(all))))
			if err != nil {
				return "", err
			}
			b[i] = all[n.Int64()]
		}
		// Whole ones are thrown away rather than mended, so that each that is left is as likely.
		if s := string(b); strings.ContainsAny(s, lower) && strings.ContainsAny(s, upper) && strings.ContainsAny(s, digits) {
			return s, nil
		}
	}
}

package credential

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"
)

const (
	keychainService = "envctl"
	keychainAccount = "credential store key"
)

// ErrNotInKeychain is the error for an item that a keychain does not have.
var ErrNotInKeychain = errors.New("not in the keychain")

// Keychain is the system's place for passwords.
type Keychain interface {
	// Get gives an item's password, or ErrNotInKeychain.
	Get(service, account string) (string, error)
	Set(service, account, password string) error
}

// SystemKeychain gives the keychain of this computer: macOS' own, Windows' Credential Manager, the Secret
// Service of a Linux desktop. It is nil where there is none to ask, as on a server.
func SystemKeychain() Keychain {
	if runtime.GOOS == "linux" && os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		// Without a bus, asking for one starts one, which nobody would stop.
		bus := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
		if _, err := os.Stat(bus); os.Getenv("XDG_RUNTIME_DIR") == "" || err != nil {
			return nil
		}
	}
	return system{}
}

type system struct{}

func (system) Get(service, account string) (string, error) {
	return answer(func() (string, error) {
		password, err := keyring.Get(service, account)
		if errors.Is(err, keyring.ErrNotFound) {
			err = ErrNotInKeychain
		}
		return password, err
	})
}

func (system) Set(service, account, password string) error {
	_, err := answer(func() (string, error) { return "", keyring.Set(service, account, password) })
	return err
}

// patience is how long a person has for the keychain's own question.
const patience = 2 * time.Minute

// answer gives up on a keychain whose question nobody sees. The library has no way to withdraw it: the
// goroutine ends with the answer, or with the process.
func answer(ask func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		text, err := ask()
		got <- result{text, err}
	}()
	select {
	case r := <-got:
		return r.text, r.err
	case <-time.After(patience):
		return "", fmt.Errorf("the keychain did not answer within %s", patience)
	}
}

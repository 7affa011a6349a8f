package credential

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"filippo.io/age"
)

// key is an age identity and what is derived from it.
type key struct {
	identity *age.X25519Identity
	id       string // names the key in clear: from its public half
	mac      []byte
	inFile   bool // store.key has it
}

func newKey(identity *age.X25519Identity) (*key, error) {
	sum := sha256.Sum256([]byte(identity.Recipient().String()))
	mac, err := hkdf.Key(sha256.New, []byte(identity.String()), nil, "envctl credential version", sha256.Size)
	if err != nil {
		return nil, err
	}
	return &key{identity: identity, id: hex.EncodeToString(sum[:8]), mac: mac}, nil
}

func parseKey(text string) (*key, error) {
	identity, err := age.ParseX25519Identity(string(bytes.TrimSpace([]byte(text))))
	if err != nil {
		return nil, errors.New("not an age key (AGE-SECRET-KEY-1…); age-keygen makes one") // the parser's words may quote it
	}
	return newKey(identity)
}

// version is the version of a value that is not ours: equal values of one credential have equal ones.
func (k *key) version(name, value string) string {
	h := hmac.New(sha256.New, k.mac)
	fmt.Fprintf(h, "%s\x00%s", name, value)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// keys finds the store's key, once it is needed and not before: in Options.Key, in store.key, in the keychain.
// The file comes before the keychain because it is there only where the keychain once was not.
type keys struct {
	given     string
	path      string
	keychain  Keychain
	ephemeral bool

	mu     sync.Mutex
	known  map[string]*key // every key that was read so far, by id
	chosen *key            // the one to seal with
	// made says that chosen was made here and is in memory alone.
	made bool
	// keychainErr is why the keychain could not be used.
	keychainErr error
}

func newKeys(o Options) *keys {
	return &keys{given: o.Key, path: filepath.Join(o.Root, "store.key"), keychain: o.Keychain, ephemeral: o.Ephemeral, known: map[string]*key{}}
}

// primary gives the key to seal with. One that has to be made stays in memory until keep.
func (ks *keys) primary() (*key, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return ks.choose()
}

func (ks *keys) choose() (*key, error) {
	if ks.chosen != nil {
		return ks.chosen, nil
	}
	k, err := ks.read(func(*key) bool { return true })
	if err != nil {
		return nil, err
	}
	if k == nil {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, err
		}
		if k, err = newKey(identity); err != nil {
			return nil, err
		}
		ks.known[k.id], ks.made = k, true
	}
	ks.chosen = k
	return k, nil
}

// passing reports whether a key was made here and is in memory alone.
func (ks *keys) passing(id string) bool {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return ks.made && ks.chosen != nil && ks.chosen.id == id
}

// find gives the key with an id, wherever it is.
func (ks *keys) find(id string) (*key, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if k, ok := ks.known[id]; ok {
		return k, nil
	}
	k, err := ks.read(func(k *key) bool { return k.id == id })
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, &noKeyError{id: id, keychain: ks.keychainErr}
	}
	return k, nil
}

// noKeyError says that a key is in none of the places where it could be.
type noKeyError struct {
	id       string
	keychain error // why the keychain could not be asked
}

func (e *noKeyError) Error() string {
	if e.keychain != nil {
		return fmt.Sprintf("it is sealed to key %s, and the keychain did not answer: %v", e.id, e.keychain)
	}
	return fmt.Sprintf("it is sealed to key %s, which is not here", e.id)
}

// read goes through the places until it comes on a key that will do; nil where there is none.
func (ks *keys) read(will func(*key) bool) (*key, error) {
	for _, place := range []func() (*key, error){ks.fromOptions, ks.fromFile, ks.fromKeychain} {
		k, err := place()
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		ks.known[k.id] = k
		if will(k) {
			return k, nil
		}
	}
	return nil, nil
}

func (ks *keys) fromOptions() (*key, error) {
	if ks.given == "" {
		return nil, nil
	}
	k, err := parseKey(ks.given)
	if err != nil {
		return nil, fmt.Errorf("ENVCTL_STORE_KEY: %w", err)
	}
	return k, nil
}

func (ks *keys) fromFile() (*key, error) {
	text, err := os.ReadFile(ks.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the credential store's key: %w", err)
	}
	k, err := parseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("the credential store's key %s: %w", ks.path, err)
	}
	k.inFile = true
	return k, nil
}

func (ks *keys) fromKeychain() (*key, error) {
	if ks.keychain == nil || ks.keychainErr != nil {
		return nil, nil
	}
	text, err := ks.keychain.Get(keychainService, keychainAccount)
	if errors.Is(err, ErrNotInKeychain) {
		return nil, nil
	}
	if err != nil {
		ks.keychainErr = err // as good as none: no bus, locked, refused
		return nil, nil
	}
	k, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("the keychain's item %s: %w", keychainService, err)
	}
	return k, nil
}

// keep makes the key to seal with outlive the process. The store's lock must be held.
func (ks *keys) keep() (*key, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	k, err := ks.choose()
	if err != nil || ks.ephemeral && ks.made {
		return k, err
	}
	if k.inFile {
		return k, ks.restore(k)
	}
	if !ks.made {
		return k, nil
	}
	other, err := ks.read(func(o *key) bool { return o.id != k.id })
	if err != nil {
		return nil, err
	}
	if other != nil {
		return nil, fmt.Errorf("the credential store's key %w", ErrChanged)
	}
	if err := ks.persist(k); err != nil {
		return nil, err
	}
	ks.made = false
	return k, nil
}

// restore puts store.key back where the last other instance took it away since we read it.
func (ks *keys) restore(k *key) error {
	there, err := ks.fromFile()
	if err != nil {
		return err
	}
	if there == nil {
		return ks.writeFile(k)
	}
	if there.id != k.id {
		return fmt.Errorf("the credential store's key %w", ErrChanged)
	}
	return nil
}

func (ks *keys) persist(k *key) error {
	if ks.keychain != nil && ks.keychainErr == nil {
		if ks.keychainErr = ks.keychain.Set(keychainService, keychainAccount, k.identity.String()); ks.keychainErr == nil {
			return nil
		}
	}
	return ks.writeFile(k)
}

func (ks *keys) writeFile(k *key) error {
	if err := writeAtomic(ks.path, []byte(k.identity.String()+"\n")); err != nil {
		return err
	}
	k.inFile = true
	return nil
}

// forget removes store.key.
func (ks *keys) forget() error {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if err := os.Remove(ks.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the credential store's key: %w", err)
	}
	return nil
}

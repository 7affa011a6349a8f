package credential

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"filippo.io/age"

	"github.com/envctl/envctl/internal/secret"
)

const planted = "Tr0ub4dor-planted-Passw0rd"

func state(t *testing.T) (root, dir string) {
	root = filepath.Join(t.TempDir(), "envctl [1]") // a name that a careless pattern would not match
	return root, filepath.Join(root, "gp-a1")
}

func entry(name, value string) Entry {
	return Entry{Name: name, Version: Version{ID: "v-" + name}, Public: map[string]string{"fingerprint": "sha256:ab"},
		Values: map[string]secret.Text{password: hidden(value)}}
}

func files(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		list = append(list, rel)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return list
}

// forms are the shapes in which a secret could lie about.
func forms(s string) map[string][]byte {
	var wide []byte
	for _, u := range utf16.Encode([]rune(s)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	return map[string][]byte{
		"plain": []byte(s), "utf-16": wide, "hex": []byte(hex.EncodeToString([]byte(s))),
		"base64":        []byte(strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "=")),
		"utf-16 base64": []byte(strings.TrimRight(base64.StdEncoding.EncodeToString(wide), "=")),
	}
}

func grep(t *testing.T, root, secret string) {
	t.Helper()
	n := 0
	for _, rel := range files(t, root) {
		path := filepath.Join(root, rel)
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			continue
		}
		n++
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", rel, info.Mode())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for form, b := range forms(secret) {
			if bytes.Contains(text, b) {
				t.Errorf("%s holds the password, as %s", rel, form)
			}
		}
	}
	if n == 0 {
		t.Error("there is no file to look in")
	}
}

func TestWhatIsSavedIsFoundAndNotSeen(t *testing.T) {
	root, dir := state(t)
	if err := Open(dir, Options{}).Save(t.Context(), entry("db", planted)); err != nil {
		t.Fatal(err)
	}
	grep(t, root, planted)

	got, there, err := Open(dir, Options{}).Lookup("db")
	if err != nil || !there || got.Values[password].Reveal() != planted || got.Version.ID != "v-db" || got.Public["fingerprint"] != "sha256:ab" {
		t.Fatalf("%v %v %v", got, there, err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "entry", got, "values", got.Values)
	for _, s := range []string{log.String(), fmt.Sprintf("%v %+v %#v", got, got, got)} {
		if strings.Contains(s, planted) {
			t.Errorf("printed: %s", s)
		}
	}
	if _, there, err := Open(dir, Options{}).Lookup("other"); there || err != nil {
		t.Errorf("an entry that is not there: %v, %v", there, err)
	}
}

func TestAnotherKey(t *testing.T) {
	root, dir := state(t)
	if err := Open(dir, Options{Owner: "ana@mac"}).Save(t.Context(), entry("db", planted)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "store.key")); err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {Key: other.String()}, {Keychain: &fakeKeychain{err: errors.New("locked")}}} {
		s := Open(dir, o)
		_, there, err := s.Lookup("db")
		if !there || !errors.Is(err, ErrHeldElsewhere) || !strings.Contains(err.Error(), "held by ana@mac") {
			t.Errorf("%v, %v", there, err)
		}
		if e, there, err := s.Index("db"); !there || err != nil || e.Version.ID != "v-db" || e.Version.Owner != "ana@mac" {
			t.Errorf("without a key: %v, %v, %v", e, there, err)
		}
	}
	if _, _, err := Open(dir, Options{Key: "hunter2"}).Lookup("db"); err == nil || strings.Contains(err.Error(), "hunter2") || errors.Is(err, ErrHeldElsewhere) {
		t.Errorf("a key that is none: %v", err)
	}
}

func TestEditedFile(t *testing.T) {
	_, dir := state(t)
	s := Open(dir, Options{})
	if err := s.Save(t.Context(), entry("db", planted)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.path("db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][]byte{
		"its version":   bytes.Replace(text, []byte("v-db"), []byte("v-xx"), 1),
		"cut short":     text[:len(text)/2],
		"of the future": bytes.Replace(text, []byte(`"format": 1`), []byte(`"format": 2`), 1),
	} {
		if bytes.Equal(edit, text) {
			t.Fatalf("%s: not edited", name)
		}
		if err := os.WriteFile(s.path("db"), edit, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Lookup("db"); err == nil || errors.Is(err, ErrHeldElsewhere) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCrashWhileSaving(t *testing.T) {
	_, dir := state(t)
	s := Open(dir, Options{})
	if err := s.Save(t.Context(), entry("db", planted)); err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(s.folder(), temporary+"123")
	if err := os.WriteFile(torn, []byte(`{"format":1,"na`), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if e, _, err := s.Lookup("db"); err != nil || e.Values[password].Reveal() != planted {
		t.Errorf("%v", err)
	}
	if err := s.Save(t.Context(), entry("pas", planted)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(torn); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the crash left is still there: %v", err)
	}
}

func TestNamesThatDifferInCaseAlone(t *testing.T) {
	_, dir := state(t)
	s := Open(dir, Options{})
	names := []string{"db", "Db", `node["a/b"]`, ".", "sandbox.pas", "ä"}
	for _, name := range names {
		if err := s.Save(t.Context(), entry(name, "of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	lower := map[string]bool{}
	for _, name := range names {
		if e, _, err := s.Lookup(name); err != nil || e.Values[password].Reveal() != "of "+name {
			t.Errorf("%s: %v", name, err)
		}
		lower[strings.ToLower(s.path(name))] = true
	}
	if len(lower) != len(names) {
		t.Errorf("on a file system without case: %v", lower)
	}
}

func TestManyAtOnce(t *testing.T) {
	root, dir := state(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := Open(dir, Options{}) // as another process would; the first of them makes the key
			if err := s.Save(t.Context(), entry(fmt.Sprint("c", i), planted)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := Open(dir, Options{})
	list, err := s.List()
	if err != nil || len(list) != 8 {
		t.Fatalf("%d entries, %v", len(list), err)
	}
	for _, e := range list {
		if _, _, err := s.Lookup(e.Name); err != nil {
			t.Error(err)
		}
	}
	grep(t, root, planted)
}

func TestNothingIsLeft(t *testing.T) {
	root, dir := state(t)
	a, b := Open(dir, Options{}), Open(filepath.Join(root, "gp-b2"), Options{})
	for _, s := range []*Store{a, b} {
		if err := s.Save(t.Context(), entry("db", planted)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(b.dir, Options{}).Lookup("db"); err != nil {
		t.Errorf("the neighbour's, after: %v", err)
	}
	// As a run leaves it that is killed while it writes the key.
	if err := os.WriteFile(filepath.Join(b.root, temporary+"1"), []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), "db", "never was"); err != nil {
		t.Fatal(err)
	}
	if left := files(t, root); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if err := b.DeleteAll(t.Context()); err != nil {
		t.Errorf("once more: %v", err)
	}
	// b knows the key still, and has to put it back.
	if err := b.Save(t.Context(), entry("db", planted)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(b.dir, Options{}).Lookup("db"); err != nil {
		t.Error(err)
	}
}

type fakeKeychain struct {
	items map[string]string
	err   error
	asked int
}

func (f *fakeKeychain) Get(service, account string) (string, error) {
	f.asked++
	if v, ok := f.items[service+"/"+account]; ok && f.err == nil {
		return v, nil
	}
	return "", errors.Join(f.err, map[bool]error{true: ErrNotInKeychain}[f.err == nil])
}

func (f *fakeKeychain) Set(service, account, password string) error {
	if f.err == nil {
		f.items[service+"/"+account] = password
	}
	return f.err
}

func TestKeychain(t *testing.T) {
	root, dir := state(t)
	chain := &fakeKeychain{items: map[string]string{}}
	s := Open(dir, Options{Keychain: chain})
	if _, err := s.List(); err != nil || chain.asked != 0 {
		t.Errorf("the keychain was asked for nothing: %v", err)
	}
	if err := s.Save(t.Context(), entry("db", planted)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "store.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key is in a file too: %v", err)
	}
	if _, _, err := Open(dir, Options{Keychain: chain}).Lookup("db"); err != nil {
		t.Error(err)
	}
	// Over ssh, say, it is locked: then a file takes over, and what either sealed is readable when both are there.
	locked := &fakeKeychain{items: chain.items, err: errors.New("locked")}
	if err := Open(dir, Options{Keychain: locked}).Save(t.Context(), entry("pas", planted)); err != nil {
		t.Fatal(err)
	}
	again := Open(dir, Options{Keychain: chain})
	for _, name := range []string{"db", "pas"} {
		if _, _, err := again.Lookup(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEphemeralKeyIsNowhere(t *testing.T) {
	root, dir := state(t)
	s := Open(dir, Options{Ephemeral: true})
	if err := s.Save(t.Context(), entry("db", planted)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Lookup("db"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "store.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("store.key: %v", err)
	}
	if _, _, err := Open(dir, Options{}).Lookup("db"); !errors.Is(err, ErrHeldElsewhere) {
		t.Errorf("another run: %v", err)
	}
}

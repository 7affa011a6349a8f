package credential

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/envctl/envctl/envspec"
)

func environ(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

var (
	generatedDB = envspec.CredentialSource{Name: "db", Username: "booking", Generate: &envspec.Generate{}}
	envAdmin    = envspec.CredentialSource{Name: "admin", Env: &envspec.EnvSource{Username: "U", Password: "P"}}
)

func planner(dir string, sources ...envspec.CredentialSource) *Planner {
	return NewPlanner(Open(dir, Options{}), sources, environ(map[string]string{"U": "Administrator", "P": planted}))
}

func TestGenerateOncePlanTwice(t *testing.T) {
	root, dir := state(t)
	p := planner(dir, generatedDB, envAdmin)
	if v, there, err := p.Existing(t.Context(), "admin"); err != nil || !there || v.Password != planted {
		t.Errorf("what exists: %v, %v", there, err)
	}
	if _, there, err := p.Existing(t.Context(), "db"); err != nil || there {
		t.Errorf("what does not: %v, %v", there, err)
	}
	standIn, err := p.StandIns(t.Context()).Credential("db")
	if err != nil || standIn.Username != "booking" || !regexp.MustCompile(`^[a-zA-Z0-9]{40,}$`).MatchString(standIn.Password) {
		t.Fatalf("%+v, %v", standIn, err)
	}
	if left := files(t, root); len(left) != 0 {
		t.Errorf("planning left %v", left)
	}
	value, err := p.Values(t.Context()).Credential("db")
	if err != nil || value.Username != "booking" || len(value.Password) != 24 || strings.HasPrefix(value.Password, StandInPrefix) {
		t.Fatalf("%d signs, %v", len(value.Password), err)
	}
	grep(t, root, value.Password)

	p = planner(dir, generatedDB)
	if v, there, err := p.Existing(t.Context(), "db"); err != nil || !there || v != value {
		t.Errorf("what exists by now: %v, %v", there, err)
	}
	again, err := p.StandIns(t.Context()).Credential("db")
	if err != nil || again != standIn {
		t.Errorf("the next run plans with %+v, the first with %+v: %v", again, standIn, err)
	}
	if v, err := p.Values(t.Context()).Credential("db"); err != nil || v != value {
		t.Errorf("the next run has another value: %v", err)
	}
}

func TestGeneratedIsNotMadeAgainWhileInUse(t *testing.T) {
	root, dir := state(t)
	p := planner(dir, generatedDB)
	p.Recorded = map[string]Version{"db": {ID: "v1", Owner: "ana@mac"}}
	standIn, err := p.StandIns(t.Context()).Credential("db")
	if err != nil || standIn.Password != StandIn("db", "v1") {
		t.Errorf("it can be planned with: %+v, %v", standIn, err)
	}
	if _, err = p.Values(t.Context()).Credential("db"); !errors.Is(err, ErrHeldElsewhere) || !strings.Contains(err.Error(), "ana@mac") {
		t.Errorf("%v", err)
	}
	if left := files(t, root); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	// What was recorded came from elsewhere, and now the block says generate: that is a new one.
	p = planner(dir, generatedDB)
	p.Recorded = map[string]Version{"db": {ID: "v1", Key: "k1"}}
	if _, err := p.Values(t.Context()).Credential("db"); err != nil {
		t.Error(err)
	}
}

func TestTwoRunsGenerateAtOnce(t *testing.T) {
	_, dir := state(t)
	first, second := planner(dir, generatedDB), planner(dir, generatedDB)
	for _, p := range []*Planner{first, second} {
		if _, err := p.Version(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := first.Values(t.Context()).Credential("db"); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Values(t.Context()).Credential("db"); !errors.Is(err, ErrChanged) {
		t.Errorf("the second: %v", err)
	}
}

func TestExternalVersion(t *testing.T) {
	root, dir := state(t)
	version := func(p *Planner) Version {
		t.Helper()
		v, err := p.Version(t.Context(), "admin")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	p := planner(dir, envAdmin)
	v := version(p)
	if len(v.ID) != 16 || v.Key == "" {
		t.Errorf("%+v", v)
	}
	value, err := p.Values(t.Context()).Credential("admin")
	if err != nil || value != (envspec.CredentialValue{Username: "Administrator", Password: planted}) {
		t.Fatalf("%v", err)
	}
	grep(t, root, planted)
	if again := version(planner(dir, envAdmin)); again != v {
		t.Errorf("the next run: %+v, was %+v", again, v)
	}
	changed := NewPlanner(Open(dir, Options{}), []envspec.CredentialSource{envAdmin}, environ(map[string]string{"U": "x", "P": "other"}))
	changed.Recorded = map[string]Version{"admin": v}
	if got := version(changed); got == v {
		t.Error("another value has the same version")
	}
	// With another key the value cannot be compared, and counts as unchanged.
	_, elsewhere := state(t)
	p = planner(elsewhere, envAdmin)
	p.Recorded = map[string]Version{"admin": v}
	if got := version(p); got != v {
		t.Errorf("with another key: %+v, recorded %+v", got, v)
	}
}

func TestSources(t *testing.T) {
	_, dir := state(t)
	spec := t.TempDir()
	if err := os.WriteFile(filepath.Join(spec, "pw"), []byte("from file\r\nsecond\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	chain := &fakeKeychain{items: map[string]string{"pas/admin": "from keychain"}}
	for _, c := range []struct {
		source envspec.CredentialSource
		want   string // a password, or what an error must say
	}{
		{envspec.CredentialSource{File: &envspec.FileSource{Path: "pw"}}, "from file"},
		{envspec.CredentialSource{File: &envspec.FileSource{Path: filepath.Join(spec, "pw")}}, "from file"},
		{envspec.CredentialSource{File: &envspec.FileSource{Path: "none"}}, "there is no file " + filepath.Join(spec, "none")},
		{envspec.CredentialSource{Command: []string{"head", "-1", "pw"}}, "from file"},
		{envspec.CredentialSource{Command: []string{"true"}}, "it must begin with the password"},
		{envspec.CredentialSource{Command: []string{"false", "token"}}, "its command false: exit status 1"},
		{envspec.CredentialSource{Keychain: &envspec.KeychainSource{Service: "pas", Account: "admin"}}, "from keychain"},
		{envspec.CredentialSource{Keychain: &envspec.KeychainSource{Service: "pas", Account: "x"}}, "keychain item pas for x"},
		{envspec.CredentialSource{Env: &envspec.EnvSource{Password: "P"}}, planted},
		{envspec.CredentialSource{Env: &envspec.EnvSource{Password: "NONE"}}, "environment variable NONE; set it"},
		{envspec.CredentialSource{}, "nowhere"},
		{envspec.CredentialSource{Generate: &envspec.Generate{Length: 3}}, "too short"},
	} {
		c.source.Name, c.source.Username = "c", "u"
		p := NewPlanner(Open(dir, Options{Keychain: chain}), []envspec.CredentialSource{c.source}, environ(map[string]string{"P": planted}))
		p.Dir = spec
		v, err := p.Values(t.Context()).Credential("c")
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "credential c") || strings.Contains(err.Error(), "token") {
				t.Errorf("%+v: %v", c.source, err)
			}
			continue
		}
		if v.Password != c.want || v.Username != "u" {
			t.Errorf("%+v: got %q, want %q", c.source, v.Password, c.want)
		}
	}
	_, err := planner(dir).StandIns(t.Context()).Credential("nosuch")
	if err == nil || !strings.Contains(err.Error(), `"nosuch"`) {
		t.Errorf("%v", err)
	}
	_, err = NewPlanner(Open(dir, Options{}), []envspec.CredentialSource{envAdmin}, environ(nil)).StandIns(t.Context()).Credential("admin")
	if m, ok := errors.AsType[*MissingError](err); !ok || m.Credential != "admin" || m.Place != "environment variable U" {
		t.Errorf("%v", err)
	}
}

func TestGeneratedBlob(t *testing.T) {
	root, dir := state(t)
	made := 0
	cert := func() (Made, error) {
		made++
		return Made{Values: map[string]string{"key": planted, "password": "pw1"}, Public: map[string]string{"fingerprint": "sha256:cd"}}, nil
	}
	p := planner(dir)
	v, public, err := p.Generated("sandbox.pas", cert)
	if err != nil || public["fingerprint"] != "sha256:cd" {
		t.Fatalf("%v, %v", public, err)
	}
	if left := files(t, root); len(left) != 0 {
		t.Errorf("planning left %v", left)
	}
	want, err := p.Values(t.Context()).Generated("sandbox.pas")
	if err != nil || want["key"].Reveal() != planted {
		t.Fatal(err)
	}
	grep(t, root, planted)

	p = planner(dir)
	again, public, err := p.Generated("sandbox.pas", cert)
	if err != nil || again != v || public["fingerprint"] != "sha256:cd" {
		t.Errorf("%v, %v, %v", again, public, err)
	}
	got, err := p.Values(t.Context()).Generated("sandbox.pas")
	if err != nil || !maps.Equal(got, want) || made != 1 {
		t.Errorf("made %d times, %v", made, err)
	}
}

func TestGeneratedPasswords(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		s, err := generate(8)
		if err != nil || len(s) != 8 || seen[s] ||
			!strings.ContainsAny(s, lower) || !strings.ContainsAny(s, upper) || !strings.ContainsAny(s, digits) {
			t.Fatalf("%q, %v", s, err)
		}
		seen[s] = true
	}
}

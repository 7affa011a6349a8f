package resolve

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/guestproto"
)

// sum is a digest of which all digits are c.
func sum(c string) string { return strings.Repeat(c, 64) }

// registry answers with digests by ref; it knows both shared platforms.
type registry map[string]string

func (r registry) LockImage(_ context.Context, ref, platform string, pinned bool) ([]envspec.LockedImage, error) {
	digest, ok := r[ref]
	if !ok {
		return nil, errors.New("no such image " + ref)
	}
	platforms := []string{platform}
	if !pinned {
		platforms = []string{"linux/amd64", "linux/arm64"}
	}
	var found []envspec.LockedImage
	for _, p := range platforms {
		found = append(found, envspec.LockedImage{Ref: ref, Platform: p, Digest: "sha256:" + digest})
	}
	return found, nil
}

// web gives sums by URL.
type web map[string]string

func (w web) Sum(_ context.Context, url string) (string, error) {
	if w[url] == "" {
		return "", errors.New("nothing there")
	}
	return w[url], nil
}

func container(name, image string) *envspec.Container {
	return &envspec.Container{Addr: addr.Addr{Kind: addr.Container, Name: name}, Image: image}
}

// input is a spec with one of each, in a folder of its own.
func input(t *testing.T) Input {
	t.Helper()
	dir := t.TempDir()
	billing := filepath.Join(dir, "billing")
	if err := os.Mkdir(billing, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(billing, "t.envctl.hcl"), []byte("# one"), 0o600); err != nil {
		t.Fatal(err)
	}
	built := container("built", "")
	built.Build, built.Platform = &envspec.Build{}, "linux/arm/v7"
	return Input{
		Dir: dir, Platform: "linux/amd64",
		Environment: &envspec.Environment{
			Containers: []*envspec.Container{container("db", "postgres:17"), container("copy", "postgres:17"), built,
				container("fixed", "redis@sha256:"+sum("f")), container("id", "sha256:"+sum("e"))},
			Machines: []*envspec.Machine{{Addr: addr.Addr{Kind: addr.Windows, Name: "pas"}, Layers: []guestproto.Layer{
				{Package: &guestproto.Package{Source: guestproto.Source{Path: filepath.Join(dir, "installers", "pas.msi"), SHA256: sum("1")}}},
				{Archive: &guestproto.Archive{Source: guestproto.Source{Path: filepath.Join(dir, "..", "a.zip"), SHA256: sum("2")}}},
				{File: &guestproto.File{Source: &guestproto.Source{Path: filepath.Join(dir, "app.ini"), SHA256: sum("3")}}},
				{Script: &guestproto.Script{Files: []guestproto.Source{{Path: filepath.Join(dir, "seed.ps1"), SHA256: sum("4")}}}},
			}}},
		},
		Templates: []envspec.TemplateDecl{{Name: "billing", Dir: billing}, {Name: "again", Dir: billing}},
		Bases:     func(*envspec.Build) ([]string, error) { return []string{"golang:1.26"}, nil },
	}
}

func find(t *testing.T, in Input) *Wants {
	t.Helper()
	w, err := Find(in)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func update(t *testing.T, l *envspec.Lock, w *Wants, r registry, upgrade func(string) bool, prune bool) (*envspec.Lock, []string) {
	t.Helper()
	next, err := Update(t.Context(), l, w, r, web{}, upgrade, prune)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, c := range Changes(l, next) {
		said = append(said, c.Item+" "+digit(c.From)+">"+digit(c.To))
	}
	return next, said
}

// digit is the one of which a digest is made; of another, "?".
func digit(digest string) string {
	if digest == "" || strings.Count(digest, digest[len(digest)-1:]) < 64 {
		return strings.Repeat("?", min(len(digest), 1))
	}
	return digest[len(digest)-1:]
}

func always(string) bool { return true }
func never(string) bool  { return false }

func TestUpdate(t *testing.T) {
	in := input(t)
	r := registry{"postgres:17": sum("a"), "golang:1.26": sum("b")}
	first, said := update(t, nil, find(t, in), r, never, false)
	want := []string{"file ../a.zip >2", "file installers/pas.msi >1", "file seed.ps1 >4", "image golang:1.26 linux/arm/v7 >b",
		"image postgres:17 linux/amd64 >a", "image postgres:17 linux/arm64 >a", "template billing >?"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if gaps := find(t, in).Gaps(first); len(gaps) > 0 {
		t.Errorf("what was locked has gaps: %v", gaps)
	}

	// All that there is moves.
	r["postgres:17"], r["golang:1.26"] = sum("c"), sum("d")
	in.Environment.Machines[0].Layers[0].Package.Source.SHA256 = sum("9")
	in.Environment.Machines[0].Layers = in.Environment.Machines[0].Layers[:1]
	if err := os.WriteFile(filepath.Join(in.Dir, "billing", "t.envctl.hcl"), []byte("# two"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := find(t, in)
	for name, c := range map[string]struct {
		upgrade func(string) bool
		prune   bool
		want    []string
	}{
		"what is locked stays, but templates": {never, false, []string{"template billing ?>?"}},
		"one by name":                         {func(n string) bool { return n == "postgres:17" }, false, []string{"image postgres:17 linux/amd64 a>c", "image postgres:17 linux/arm64 a>c", "template billing ?>?"}},
		"all of it": {always, true, []string{"file ../a.zip 2>", "file installers/pas.msi 1>9", "file seed.ps1 4>", "image golang:1.26 linux/arm/v7 b>d",
			"image postgres:17 linux/amd64 a>c", "image postgres:17 linux/arm64 a>c", "template billing ?>?"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, said := update(t, first, w, r, c.upgrade, c.prune)
			if diff := cmp.Diff(c.want, said); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a registry that does not know it", func(t *testing.T) {
		if _, err := Update(t.Context(), first, w, registry{}, web{}, always, true); err == nil || !strings.Contains(err.Error(), "no such image") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("another installer", func(t *testing.T) {
		diags := Diagnostics(w.CheckFiles(first))
		if len(diags) != 1 || !strings.Contains(diags[0].Detail, sum("1")) || !strings.Contains(diags[0].Detail, sum("9")) ||
			!strings.Contains(diags[0].Detail, "windows.pas") {
			t.Errorf("diagnostics: %v", diags)
		}
		gaps := w.Gaps(first)
		if len(gaps) != 2 || gaps[0].Name != "file installers/pas.msi" || gaps[1].Name != "template billing" {
			t.Errorf("gaps: %v", gaps)
		}
	})
}

func TestGapsOfNothing(t *testing.T) {
	var names []string
	for _, g := range find(t, input(t)).Gaps(nil) {
		names = append(names, g.String())
	}
	want := []string{"image golang:1.26 for linux/arm/v7 is not locked", "image postgres:17 for linux/amd64 is not locked",
		"file ../a.zip is not locked", "file installers/pas.msi is not locked", "file seed.ps1 is not locked", "template billing is not locked"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestPin(t *testing.T) {
	in := input(t)
	in.Environment.Containers = append(in.Environment.Containers, container("own", "acme/own"), container("new", "nginx"))
	l := &envspec.Lock{Images: []envspec.LockedImage{
		{Ref: "postgres:17", Platform: "linux/amd64", Digest: "sha256:" + sum("a")},
		{Ref: "postgres:17", Platform: "linux/arm64", Digest: "sha256:" + sum("b")},
		{Ref: "golang:1.26", Platform: "linux/arm/v7", Digest: "sha256:" + sum("c")},
		{Ref: "acme/own", Platform: "linux/amd64", LocalID: "sha256:" + sum("d")},
	}}
	if err := Pin(in, l); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range in.Environment.Containers {
		got[c.Addr.Name] = c.Pinned
		if c.Build != nil {
			got[c.Addr.Name] = c.Build.From["golang:1.26"]
		}
	}
	want := map[string]string{"db": "postgres:17@sha256:" + sum("a"), "copy": "postgres:17@sha256:" + sum("a"),
		"built": "golang:1.26@sha256:" + sum("c"), "fixed": "", "id": "", "own": "sha256:" + sum("d"), "new": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestFolderSum: names and contents count, and nothing else does.
func TestFolderSum(t *testing.T) {
	make := func(files ...string) string {
		t.Helper()
		dir := t.TempDir()
		for _, f := range files {
			name, content, _ := strings.Cut(f, "=")
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := folderSum(dir)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same := make("a=1", "b/c=2")
	if again := make("b/c=2", "a=1", ".git/HEAD=x"); again != same {
		t.Error("the same files give another sum")
	}
	others := []string{same, make("a=1", "b/c=3"), make("a=1", "c=2"), make("a=1"), make("a=12", "b/c="), make()}
	slices.Sort(others)
	if n := len(slices.Compact(others)); n != 6 {
		t.Errorf("six folders have %d sums", n)
	}
	if _, err := folderSum(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there has a sum")
	}
}

// TestRemote: what is at a URL is fetched to be locked, and only then; its query stays out of the lock.
func TestRemote(t *testing.T) {
	const url = "https://example.com/pas.msi"
	machine := func(sources ...guestproto.Source) Input {
		m := &envspec.Machine{Addr: addr.Addr{Kind: addr.Windows, Name: "pas"}}
		for _, s := range sources {
			m.Layers = append(m.Layers, guestproto.Layer{Kind: "file", Name: "C:\\x", File: &guestproto.File{Source: &s}})
		}
		return Input{Dir: t.TempDir(), Environment: &envspec.Environment{Machines: []*envspec.Machine{m}}}
	}
	sumOf := func(in Input) string { return in.Environment.Machines[0].Layers[0].Source().SHA256 }
	in := machine(guestproto.Source{URL: url + "?token=hunter2"}, guestproto.Source{URL: "https://example.com/fixed.msi", SHA256: sum("f")})
	if err := Unsummed(in.Environment); err == nil || !strings.Contains(err.Error(), "windows.pas, file.C:\\x: "+url) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "fixed") {
		t.Errorf("error %v", err)
	}
	w := find(t, in)
	if diff := cmp.Diff([]Gap{{Name: "file " + url, Unknown: true}}, w.Gaps(nil)); diff != "" {
		t.Error(diff)
	}
	there := web{url + "?token=hunter2": sum("a")}
	first, err := Update(t.Context(), nil, w, nil, there, never, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]envspec.LockedFile{{Path: url, SHA256: sum("a")}}, first.Files); diff != "" {
		t.Error(diff)
	}
	if gaps := w.Gaps(first); gaps != nil {
		t.Errorf("gaps: %v", gaps)
	}
	if faults := w.CheckFiles(first); faults != nil {
		t.Errorf("faults: %v", faults)
	}
	if err := Pin(in, first); err != nil || sumOf(in) != sum("a") || Unsummed(in.Environment) != nil {
		t.Errorf("pinned to %s, %v", sumOf(in), err)
	}
	there[url+"?token=hunter2"] = sum("b")
	if next, err := Update(t.Context(), first, w, nil, web{}, never, false); err != nil || next.Files[0].SHA256 != sum("a") {
		t.Errorf("what is locked was fetched: %v", err)
	}
	if next, err := Update(t.Context(), first, w, nil, there, func(n string) bool { return n == url }, false); err != nil || next.Files[0].SHA256 != sum("b") {
		t.Errorf("upgrade: %v", err)
	}
	if _, err := Find(machine(guestproto.Source{URL: url + "?a"}, guestproto.Source{URL: url + "?b"})); err == nil || !strings.Contains(err.Error(), "differ in their query alone") {
		t.Errorf("error %v", err)
	}
}

package windows

import (
	"reflect"
	"testing"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

func stackOf(path, value string, timeout int) []guestproto.Layer {
	return []guestproto.Layer{
		{Kind: "package", Name: "pas", Package: &guestproto.Package{
			Source: guestproto.Source{Path: path, SHA256: "ab", Name: "pas.msi"}, Timeout: timeout}},
		{Kind: "env", Name: "A", Env: &guestproto.Env{Value: secret.Plain(value)}},
		{Kind: "env", Name: "B", Env: &guestproto.Env{Value: secret.Plain("b")}},
	}
}

func TestHashLayersChains(t *testing.T) {
	a, b := HashLayers(stackOf("/a/pas.msi", "1", 0)), HashLayers(stackOf("/b/pas.msi", "2", 60))
	if a[0].Hash == "" || a[0].Hash != b[0].Hash {
		t.Errorf("where a source lies or how long it may take changed the hash: %q, %q", a[0].Hash, b[0].Hash)
	}
	if a[1].Hash == b[1].Hash {
		t.Error("another value has the same hash")
	}
	if a[2].Hash == b[2].Hash {
		t.Error("a layer over a changed one has the same hash")
	}
	in := stackOf("/a/pas.msi", "1", 0)
	HashLayers(in)
	if in[0].Hash != "" || in[0].Package.Source.Path != "/a/pas.msi" {
		t.Error("the argument was changed")
	}
	if again := HashLayers(a); again[2].Hash != a[2].Hash {
		t.Error("a hash that was set before went into the hash")
	}
}

// A kind of layer that comes later may have a Source or a Timeout of its own: this finds it.
func TestNoKindHashesPathOrTimeout(t *testing.T) {
	layer := reflect.TypeFor[guestproto.Layer]()
	for i := range layer.NumField() {
		f := layer.Field(i)
		if f.Type.Kind() != reflect.Pointer {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			with := func(path string, timeout int64) (guestproto.Layer, bool) {
				body := reflect.New(f.Type.Elem())
				found := false
				for j := range body.Elem().NumField() {
					v := body.Elem().Field(j)
					src := guestproto.Source{Path: path, SHA256: "ab", Name: "x"}
					switch {
					case v.Type() == reflect.TypeFor[guestproto.Source]():
						v.Set(reflect.ValueOf(src))
						found = true
					case v.Type() == reflect.TypeFor[*guestproto.Source]():
						v.Set(reflect.ValueOf(&src))
						found = true
					case body.Elem().Type().Field(j).Name == "Timeout":
						v.SetInt(timeout)
					}
				}
				l := guestproto.Layer{Kind: f.Name, Name: "x"}
				reflect.ValueOf(&l).Elem().Field(i).Set(body)
				return l, found
			}
			a, has := with("/a", 1)
			b, _ := with("/b", 2)
			if HashLayers([]guestproto.Layer{a})[0].Hash != HashLayers([]guestproto.Layer{b})[0].Hash {
				t.Error("a source's path or a timeout changes the hash: leave it out in essence")
			}
			if got := a.Source() != nil; got != has {
				t.Errorf("has a Source: %t, Source finds one: %t", has, got)
			}
		})
	}
}

// TestSameContentElsewhere: where a file comes from, and what it is called there, make it no other.
func TestSameContentElsewhere(t *testing.T) {
	hash := func(s guestproto.Source) string {
		return HashLayers([]guestproto.Layer{{Kind: "package", Name: "pas", Package: &guestproto.Package{Source: s}}})[0].Hash
	}
	local := hash(guestproto.Source{Path: "/a/pas.msi", SHA256: "ab", Name: "pas.msi", Size: 7})
	if got := hash(guestproto.Source{URL: "https://example.com/PAS-7.2.MSI?token=x", SHA256: "ab", Name: "PAS-7.2.MSI"}); got != local {
		t.Error("the same file at a URL is another one")
	}
	if hash(guestproto.Source{Path: "/a/pas.msi", SHA256: "cd", Name: "pas.msi", Size: 7}) == local {
		t.Error("another content is the same")
	}
	if hash(guestproto.Source{Path: "/a/pas.exe", SHA256: "ab", Name: "pas.exe", Size: 7}) == local {
		t.Error("an EXE is the same as an MSI")
	}
}

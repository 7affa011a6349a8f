package secret

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestMasker(t *testing.T) {
	var m Masker
	m.Add(Text{"pass", true}, Text{"password", true}, Text{"first line\n}\nsecond line\r\n", true}, Text{"", true}, Plain("shown"))
	for text, want := range map[string]string{
		"password, pass":                    Mask + ", " + Mask,
		"it prints second line, and {}":     "it prints " + Mask + ", and {}",
		"first line\n}\nsecond line, shown": Mask + ", shown",
		"nothing":                           "nothing",
	} {
		if got := m.Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestMaskedErrorIsWhatItWas(t *testing.T) {
	var m Masker
	m.Add(Text{"pl4nted", true})
	if m.Error(nil) != nil || m.Error(io.EOF) != io.EOF { //nolint:errorlint // the very same
		t.Error("an error without a secret is another one")
	}
	got := m.Error(fmt.Errorf("reading pl4nted: %w", io.EOF))
	if !errors.Is(got, io.EOF) || errors.Is(got, io.ErrNoProgress) || got.Error() != "reading "+Mask+": EOF" {
		t.Errorf("error %v", got)
	}
	for inner := got; inner != nil; inner = errors.Unwrap(inner) {
		if text := fmt.Sprintf("%v %+v %#v", inner, inner, inner); strings.Contains(text, "pl4nted") {
			t.Errorf("the secret is in %s", text)
		}
	}
}

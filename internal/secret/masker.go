package secret

import (
	"errors"
	"slices"
	"strings"
)

// Masker takes secrets out of what a person will read. The zero Masker knows none.
type Masker struct{ hidden []string }

// Add has the sensitive ones of some texts masked from now on: whole, and line by line, since output comes by the line.
func (m *Masker) Add(texts ...Text) {
	for _, t := range texts {
		if !t.Sensitive {
			continue
		}
		m.add(strings.TrimSpace(t.Reveal()))
		for line := range strings.FieldsFuncSeq(t.Reveal(), func(r rune) bool { return r == '\n' || r == '\r' }) {
			if line = strings.TrimSpace(line); len(line) >= 3 { // a lone brace would mask half of every message
				m.add(line)
			}
		}
	}
	// The longest first: one secret may be the beginning of another.
	slices.SortStableFunc(m.hidden, func(a, b string) int { return len(b) - len(a) })
}

func (m *Masker) add(s string) {
	if s != "" && !slices.Contains(m.hidden, s) {
		m.hidden = append(m.hidden, s)
	}
}

// Text gives a text with Mask in place of each secret.
func (m *Masker) Text(s string) string {
	for _, hidden := range m.hidden {
		s = strings.ReplaceAll(s, hidden, Mask)
	}
	return s
}

// Error gives err itself where its text holds no secret, and else one with the rest of the text, of which errors.Is can
// still tell what it is. Nil stays nil.
func (m *Masker) Error(err error) error {
	if err == nil {
		return nil
	}
	if text := m.Text(err.Error()); text != err.Error() {
		return masked{text, func(target error) bool { return errors.Is(err, target) }}
	}
	return err
}

// masked does not give away the error that it stands for.
type masked struct {
	text string
	is   func(error) bool
}

func (e masked) Error() string        { return e.text }
func (e masked) Is(target error) bool { return e.is(target) }

// Package secret has the string that may be secret. A Text can be handed to any
// logger or format verb without giving itself away.
package secret

import (
	"fmt"
	"log/slog"
)

// Mask is what stands for a secret wherever one is shown.
const Mask = "(sensitive)"

// Text is a string that came out of a spec, and whether it must stay hidden.
//
// Its JSON form holds the value: it is what a hash covers (over stand-ins that
// carry only a version) and what goes to a guest (over an encrypted session).
// Nothing else may marshal one.
type Text struct {
	Value     string `json:"value"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

// Plain gives a Text that may be shown.
func Plain(s string) Text { return Text{Value: s} }

// Reveal gives the value. Call it where the value is handed over, nowhere else.
func (t Text) Reveal() string { return t.Value }

// String gives the value, or Mask.
func (t Text) String() string {
	if t.Sensitive {
		return Mask
	}
	return t.Value
}

// Format makes every verb, %#v too, print what String gives.
func (t Text) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		fmt.Fprintf(f, "%q", t.String())
		return
	}
	fmt.Fprint(f, t.String())
}

// LogValue keeps a secret out of structured logs.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

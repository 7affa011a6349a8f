package envspec

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/secret"
)

func quote(s string) string { return strconv.Quote(s) }

// plainString gives the text of a string that is known, not null and without marks: of most values.
func plainString(v cty.Value) (string, bool) {
	if v.Type() != cty.String || v.IsMarked() || !v.IsKnown() || v.IsNull() {
		return "", false
	}
	return v.AsString(), true
}

// str reads plain text.
func (r *reader) str(name string) string {
	v, ok := r.raw(name)
	if !ok {
		return ""
	}
	at := r.rangeOf(name)
	text, plain := plainString(v)
	if plain {
		r.checkPath(text, at)
	} else {
		out, hush, ok := r.scalar(v, cty.String, "a string", at, quote(name))
		if hush {
			r.refuseSecret(name, at)
			return ""
		}
		if !ok {
			return ""
		}
		text = out.AsString()
	}
	if as := r.kind.attr(name); as != nil && len(as.Enum) > 0 && !slices.Contains(as.Enum, text) {
		meant := map[string]string{
			"started": "running", "start": "running", "stop": "stopped", "enabled": "auto", "demand": "manual", "boot": "auto", "if-not-present": "missing", "ifnotpresent": "missing",
		}[strings.ToLower(text)]
		if !slices.Contains(as.Enum, meant) {
			meant = text[strings.LastIndexByte(text, '\\')+1:]
		}
		r.report(fault(CodeValue, at, "Not one of the choices", "%q cannot be %s.%s It is one of %s.", name, quote(text), meantChoice(meant, as.Enum), list(as.Enum, "or")))
		return ""
	}
	return text
}

// text reads text that may be secret; nil where it is left out.
func (r *reader) text(name string) *secret.Text {
	v, ok := r.raw(name)
	if !ok {
		return nil
	}
	out, hush, ok := r.scalar(v, cty.String, "a string", r.rangeOf(name), quote(name))
	if !ok {
		return nil
	}
	return &secret.Text{Value: out.AsString(), Sensitive: hush}
}

// textOr reads text that may be secret; empty where it is left out.
func (r *reader) textOr(name string) secret.Text {
	if t := r.text(name); t != nil {
		return *t
	}
	return secret.Text{}
}

// number reads any number that is not negative.
func (r *reader) number(name string) float64 {
	v, ok := r.raw(name)
	if !ok {
		return 0
	}
	at := r.rangeOf(name)
	out, hush, ok := r.scalar(v, cty.Number, "a number", at, quote(name))
	if hush {
		r.refuseSecret(name, at)
	}
	if !ok || hush {
		return 0
	}
	f, _ := out.AsBigFloat().Float64()
	if f < 0 {
		r.report(fault(CodeValue, at, "Too small", "%q cannot be negative.", name))
		return 0
	}
	return f
}

// integer reads a whole number from low to high.
func (r *reader) integer(name string, low, high int) int {
	v, ok := r.raw(name)
	if !ok {
		return 0
	}
	at := r.rangeOf(name)
	out, hush, ok := r.scalar(v, cty.Number, "a whole number", at, quote(name))
	if hush {
		r.refuseSecret(name, at)
	}
	if !ok || hush {
		return 0
	}
	n, exact := out.AsBigFloat().Int64()
	if exact != big.Exact || n < int64(low) || n > int64(high) {
		if high == math.MaxInt32 {
			r.report(fault(CodeValue, at, "Not a number that fits", "%q must be a whole number of at least %d.", name, low))
		} else {
			r.report(fault(CodeValue, at, "Not a number that fits", "%q must be a whole number from %d to %d.", name, low, high))
		}
		return 0
	}
	return int(n)
}

// boolean reads true or false; false where it is left out.
func (r *reader) boolean(name string) bool {
	v, ok := r.raw(name)
	if !ok {
		return false
	}
	at := r.rangeOf(name)
	out, hush, ok := r.scalar(v, cty.Bool, "true or false", at, quote(name))
	if hush {
		r.refuseSecret(name, at)
	}
	return ok && !hush && out.True()
}

// duration reads "5s" or "1m30s".
func (r *reader) duration(name string) time.Duration {
	text := r.str(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.report(fault(CodeValue, r.rangeOf(name), "Not a duration", "%s", notDuration(text)))
		return 0
	}
	return d
}

// seconds reads a duration as whole seconds, rounded up.
func (r *reader) seconds(name string) int { return int(math.Ceil(r.duration(name).Seconds())) }

// size reads "512MB", "2g" or a number of bytes, in powers of 1024 as container engines do.
func (r *reader) size(name string) int64 {
	text := r.str(name)
	if text == "" {
		return 0
	}
	n, ok := parseSize(text)
	if bareNumber.MatchString(text) && ok && n > 0 && n < leastSize {
		r.report(fault(CodeValue, r.rangeOf(name), "Not a size", "%q without a unit is bytes, and %s are next to nothing. Write it with its unit: \"%sMB\".", name, text, text))
		return 0
	}
	if !ok {
		r.report(fault(CodeValue, r.rangeOf(name), "Not a size", "%s is not a size. Write a number with its unit: \"512MB\", \"1.5GB\".", quote(text)))
	}
	return n
}

// leastSize is the least that anybody means by a number without a unit; a smaller one was meant as megabytes.
const leastSize = 64 << 10

func parseSize(text string) (int64, bool) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	power, ok := map[string]int{"": 0, "b": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30, "gb": 30, "gib": 30, "t": 40, "tb": 40, "tib": 40}[unit]
	n, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) || n*math.Pow(2, float64(power)) > math.MaxInt64/2 {
		return 0, false
	}
	return int64(n * math.Pow(2, float64(power))), true
}

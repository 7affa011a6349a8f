package windows

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/envctl/envctl/internal/guestproto"
)

// parts names what a layer is made of, as far as a person may see it: a long value is a digest, and so is a secret's
// stand-in, which knows its version alone.
func parts(l guestproto.Layer) map[string]string {
	l = essence(l)
	body, err := json.Marshal(l)
	if err != nil {
		panic(fmt.Sprintf("layer %s cannot be marshalled: %v", l.ID(), err)) // plain data: it always can
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		panic(fmt.Sprintf("layer %s cannot be read again: %v", l.ID(), err))
	}
	shown := map[string]string{}
	flatten(shown, "", fields[l.Kind], false)
	return shown
}

// flatten takes a JSON value apart. A text has the name of what holds it, and so has a registry value, whose type
// stands beside it.
func flatten(to map[string]string, name string, v any, hidden bool) {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["value"].(string); ok {
			flatten(to, name, text, hidden || v["sensitive"] == true)
			return
		}
		_, typed := v["type"].(string)
		for key, inner := range v {
			if key == "" { // a registry key's default value
				key = "(default)"
			}
			under := strings.TrimPrefix(name+"."+key, ".")
			if typed && key == "value" {
				under = name
			}
			flatten(to, under, inner, hidden)
		}
	case []any:
		for i, inner := range v {
			flatten(to, fmt.Sprintf("%s[%d]", name, i), inner, hidden)
		}
	case nil:
	default:
		text := guestproto.Shown(fmt.Sprint(v))
		if hidden {
			text = guestproto.Digest(fmt.Sprint(v))
		}
		if text != "" {
			to[name] = text
		}
	}
}

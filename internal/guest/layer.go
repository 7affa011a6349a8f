package guest

import (
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// hasBody reports whether the pointer that the layer's kind names is set.
func hasBody(l guestproto.Layer) bool {
	switch l.Kind {
	case "package":
		return l.Package != nil
	case "file":
		return l.File != nil
	case "archive":
		return l.Archive != nil
	case "registry":
		return l.Registry != nil
	case "service":
		return l.Service != nil
	case "env":
		return l.Env != nil
	case "firewall":
		return l.Firewall != nil
	case "user":
		return l.User != nil
	case "vault":
		return l.Vault != nil
	case "odbc":
		return l.ODBC != nil
	case "script":
		return l.Script != nil
	case "app":
		return l.App != nil
	case "reboot":
		return l.Reboot != nil
	case "feature":
		return l.Feature != nil
	case "certificate":
		return l.Certificate != nil
	case "task":
		return l.Task != nil
	}
	return false
}

// hide has a masker hide what is sensitive in layers.
func hide(m *secret.Masker, layers ...guestproto.Layer) {
	for _, l := range layers {
		m.Add(l.Texts()...)
	}
}

package envspec

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// layer decodes one layer's block into l.
func (r *reader) layer(l *guestproto.Layer, in *instance) {
	dir := in.decl.scope.dir
	switch l.Kind {
	case "package":
		l.Package = r.packageLayer(dir)
	case "file":
		r.windowsLabel()
		l.File = r.fileLayer(dir)
	case "archive":
		r.windowsLabel()
		l.Archive = &guestproto.Archive{Source: r.source(dir), Strip: r.integer("strip", 0, 100)}
		if n := l.Archive.Source.Name; n != "" && !strings.EqualFold(extension(n), ".zip") {
			r.report(fault(CodeValue, r.rangeOf("source"), "Not a zip", "An archive layer unpacks .zip files, and this is %s. Pack the folder as a zip, or unpack it in a script layer.", quote(n)))
		}
	case "registry":
		l.Registry = r.registry(l.Name)
	case "service":
		l.Service = r.service()
	case "env":
		l.Env = &guestproto.Env{Value: r.textOr("value")}
	case "firewall":
		l.Firewall = r.firewall(in.ports)
	case "user":
		l.User = &guestproto.User{Name: l.Name, Password: r.textOr("password"), Groups: r.strings("groups")}
		if c := r.credential("credential"); c != nil {
			l.User.Name, l.User.Password = c.username, c.password
		}
	case "vault":
		l.Vault = &guestproto.Vault{Username: r.str("username"), Password: r.textOr("password")}
		if c := r.credential("credential"); c != nil {
			l.Vault.Username, l.Vault.Password = c.username, c.password
		}
	case "odbc":
		l.ODBC = &guestproto.ODBC{Driver: r.str("driver"), Attributes: r.textMap("attributes"), Bits: r.integer("bits", 32, 64)}
		if b := l.ODBC.Bits; b != 0 && b != 32 && b != 64 {
			r.report(fault(CodeValue, r.rangeOf("bits"), "Not one of the choices", "\"bits\" is 32 or 64."))
		}
	case "script":
		l.Script = r.script()
	case "app":
		l.App = r.app()
	case "feature":
		l.Feature = &guestproto.Feature{Payload: r.str("payload"), Timeout: r.seconds("timeout")}
	case "certificate":
		l.Certificate = r.certificate(dir)
	case "task":
		l.Task = r.task(l.Name)
	case "reboot":
		l.Reboot = &guestproto.Reboot{When: orElse(r.str("when"), "pending")}
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i:]
	}
	return ""
}

func (r *reader) packageLayer(dir string) *guestproto.Package {
	p := &guestproto.Package{Source: r.source(dir), Uninstall: r.strings("uninstall"), Timeout: r.seconds("timeout")}
	for _, a := range r.strings("args") {
		p.Args = append(p.Args, secret.Plain(a))
	}
	properties := r.plainMap("properties")
	for _, k := range names(properties) {
		if p.Properties == nil {
			p.Properties = map[string]secret.Text{}
		}
		p.Properties[k] = secret.Plain(properties[k])
		if k != strings.ToUpper(k) {
			r.report(fault(CodeValue, r.keyRange("properties", k), "Not a public property", "MSI takes public properties only, whose names are in capitals: %s.", quote(strings.ToUpper(k))))
		}
	}
	if p.Source.Name == "" {
		return p
	}
	switch ext := strings.ToLower(extension(p.Source.Name)); {
	case ext != ".msi" && ext != ".exe":
		r.report(fault(CodeValue, r.rangeOf("source"), "Not an installer", "A package layer installs .msi and .exe files, and this is %s. Use a file or an archive layer.", quote(p.Source.Name)))
	case ext == ".exe" && p.Properties != nil:
		r.report(fault(CodeConflict, r.rangeOf("properties"), "Properties are for an MSI", "An EXE installer takes args: hand them over there."))
	case ext == ".msi" && p.Uninstall != nil:
		r.report(fault(CodeConflict, r.rangeOf("uninstall"), "An MSI needs no uninstall", "Windows knows how to remove it. Leave uninstall out."))
	}
	return p
}

func (r *reader) fileLayer(dir string) *guestproto.File {
	f := &guestproto.File{Private: r.boolean("private"), Content: r.text("content")}
	if f.Content != nil {
		r.fileMeant("content", *f.Content, "source = ")
	}
	if r.has("source") {
		src := r.source(dir)
		f.Source = &src
	} else if r.has("sha256") {
		r.report(fault(CodeConflict, r.body.Attributes["sha256"].NameRange, "sha256 is for a source", "What is in content is in the spec, and needs no sha256."))
	}
	if f.Content != nil && f.Content.Sensitive {
		f.Private = true
	}
	return f
}

func (r *reader) service() *guestproto.Service {
	s := &guestproto.Service{
		Command: r.str("command"), DisplayName: r.str("display_name"), Startup: r.str("startup"), State: r.str("state"),
		Env: r.textMap("env"), Timeout: r.seconds("timeout"),
	}
	if c := r.credential("credential"); c != nil {
		s.Account, s.Password = c.username, &c.password
	}
	return s
}

// firewall takes a number, or the name of one of the machine's ports.
func (r *reader) firewall(ports []Port) *guestproto.Firewall {
	f := &guestproto.Firewall{Protocol: r.str("protocol")}
	if v, ok := r.raw("port"); ok {
		i := slices.IndexFunc(ports, func(p Port) bool { text, _, _ := asString(v); return p.Name == text })
		if i >= 0 {
			f.Port = ports[i].Guest
			f.Protocol = orElse(f.Protocol, ports[i].Protocol)
		} else if text, _, ok := asString(v); ok && v.Type() == cty.String && !isNumber(text) {
			var known []string
			for _, p := range ports {
				known = append(known, p.Name)
			}
			r.report(unknownOwnPort(r.rangeOf("port"), "The machine has no port %q.%s Write a number, or the name of a port block.", text, didYouMean(text, known)))
		} else {
			f.Port = r.integer("port", 1, maxPort)
		}
	}
	f.Protocol = orElse(f.Protocol, "tcp")
	return f
}

func isNumber(s string) bool { _, err := strconv.Atoi(s); return err == nil }

func (r *reader) script() *guestproto.Script {
	read := len(r.in.files)
	run, undo := r.textOr("run"), r.text("undo")
	files := r.in.files[read:]
	r.fileMeant("run", run, "run = file(")
	return &guestproto.Script{
		Interpreter: orElse(r.str("interpreter"), "powershell"), Run: run, Undo: undo, Files: r.in.view.eval.spec.scriptFiles(files),
		Creates: r.str("creates"), Unless: r.str("unless"), Env: r.textMap("env"), Timeout: r.seconds("timeout"),
	}
}

// scriptFiles gives the files that a script was made of, sorted, each once, with the sum of what was read.
func (s *Spec) scriptFiles(paths []string) (out []guestproto.Source) {
	for _, path := range slices.Compact(slices.Sorted(slices.Values(paths))) {
		if b, err := s.readText(path); err == nil { // it was read before
			sum := sha256.Sum256(b)
			out = append(out, guestproto.Source{Path: path, SHA256: hex.EncodeToString(sum[:]), Name: baseName(path), Size: int64(len(b))})
		}
	}
	return out
}

func (r *reader) app() *guestproto.App {
	a := &guestproto.App{Command: r.str("command"), WorkingDir: r.str("working_dir"), Env: r.textMap("env"), Session: orElse(r.str("session"), "service")}
	for _, arg := range r.strings("args") {
		a.Args = append(a.Args, secret.Plain(arg))
	}
	return a
}

var hives = []string{"HKLM", "HKCU", "HKCR", "HKU", "HKCC", "HKEY_LOCAL_MACHINE", "HKEY_CURRENT_USER", "HKEY_CLASSES_ROOT", "HKEY_USERS", "HKEY_CURRENT_CONFIG"}

const maxDword = math.MaxUint32

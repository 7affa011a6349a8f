package envspec

import (
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/internal/guestproto"
)

// machineBody decodes a windows block at its own vantage.
func (in *instance) machineBody(r *reader) *Machine {
	m := &Machine{Addr: in.addr, Sandbox: in.machine.Sandbox, Address: in.machine.Address, Ports: slices.Clone(in.ports)}
	m.WinRM = WinRM{HTTPS: true, Auth: "ntlm"}
	seen := map[string]hcl.Range{}
	unnamed := map[string]int{}
	for _, b := range r.blocks() {
		switch b.kind.Name {
		case "source", "port":
		case "winrm":
			m.WinRM = b.winrm(in.decl.scope.dir)
		case "ready":
			m.Ready = b.ready(in.ports, true)
		default:
			l := guestproto.Layer{Kind: b.kind.Name, Name: b.label()}
			if l.Name == "" {
				unnamed[l.Kind]++
				l.Name = unnamedLayer(l.Kind, unnamed[l.Kind])
			}
			id := strings.ToLower(l.ID())
			if before, ok := seen[id]; ok && before != b.at {
				r.report(fault(CodeDuplicate, b.at, "Duplicate name", "%s already has %s, at %s. %s", r.title(), blockTitle(l.Kind, []string{l.Name}), place(before), b.kind.another()))
			}
			seen[id] = b.at
			b.layer(&l, in)
			m.Layers = append(m.Layers, l)
		}
	}
	return m
}

func unnamedLayer(kind string, n int) string {
	if n == 1 {
		return kind
	}
	return kind + "-" + strconv.Itoa(n)
}

func (r *reader) winrm(dir string) WinRM {
	w := WinRM{
		HTTPS: true, Port: r.integer("port", 1, maxPort), Auth: r.str("auth"),
		Insecure: r.boolean("insecure"), Fingerprint: pin(r.fingerprint("fingerprint")),
	}
	if w.Auth == "" {
		w.Auth = "ntlm"
	}
	if r.has("https") {
		w.HTTPS = r.boolean("https")
	}
	if !w.HTTPS && w.Auth == "basic" && !w.Insecure {
		r.report(fault(CodeConflict, r.rangeOf("auth"), "The password would cross the network in clear", "Basic authentication without HTTPS is refused. Use auth = \"ntlm\", which encrypts, or https = true; or allow it with insecure = true."))
	}
	if path := r.str("ca_file"); path != "" {
		w.CAFile = resolvePath(dir, path)
		if _, err := os.Stat(w.CAFile); err != nil {
			r.report(fault(CodeFile, r.rangeOf("ca_file"), "No such file", "There is no file %s. Is the path right, from the spec's folder?", w.CAFile))
		}
	}
	if l := r.credential("credential"); l != nil {
		w.Credential, w.User, w.Password = l.name, l.username, l.password
	}
	return w
}

// fingerprint reads a sha256 in hex: colons, capitals and a prefix "sha256:" are taken too.
func (r *reader) fingerprint(name string) string {
	text := r.str(name)
	if text == "" {
		return ""
	}
	plain := strings.ToLower(strings.ReplaceAll(text, ":", ""))
	plain = strings.TrimPrefix(plain, "sha256")
	if b, err := hex.DecodeString(plain); err != nil || len(b) != 32 {
		r.report(fault(CodeValue, r.rangeOf(name), "Not a sha256", "%q takes a sha256 as 64 hex digits, and this has %d.", name, len(plain)))
		return ""
	}
	return plain
}

// source reads a layer's file: it must be there, and be what sha256 says. One with a URL is fetched later.
func (r *reader) source(dir string) guestproto.Source {
	text := r.str("source")
	if text == "" {
		return guestproto.Source{}
	}
	at := r.rangeOf("source")
	if scheme.MatchString(text) {
		return r.remoteSource(text)
	}
	path := resolvePath(dir, text)
	want := r.fingerprint("sha256")
	sum, size, err := r.in.view.eval.spec.sums.sum(path)
	if err != nil {
		r.report(fault(CodeFile, at, "Cannot read the file", "%s.%s", upperFirst(plainError(err).Error()), otherComputer(text)))
		return guestproto.Source{}
	}
	if want != "" && want != sum {
		r.report(fault(CodeValue, r.rangeOf("sha256"), "Another file than expected", "The sha256 of %s is %s. If that is the file you mean, write it here.", text, sum))
	}
	return guestproto.Source{Path: path, SHA256: sum, Name: baseName(path), Size: size}
}

func baseName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// pin gives a certificate's fingerprint the form that the WinRM session takes: "sha256:" and hex.
func pin(hex string) string {
	if hex == "" {
		return ""
	}
	return "sha256:" + hex
}

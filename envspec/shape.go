package envspec

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
)

// instance is one resource or credential that exists: a block, or one element of its for_each.
type instance struct {
	decl    *decl
	addr    addr.Addr // of a resource
	key     string
	each    *eachValue
	ports   []Port
	udpAt   map[string]hcl.Range // where its UDP ports stand
	machine *MachineDecl
	// profiles are those of which one must be asked for; idle says that none was.
	profiles []string
	idle     bool
}

// eachValue is what each.key and each.value stand for.
type eachValue struct {
	key   string
	value cty.Value
}

// shape says what exists: instances, their ports, where credentials come from.
func (sc *scope) shape(e *evaluation) {
	v := e.view(sc, addr.Host)
	for _, d := range sc.all {
		switch d.kind.Name {
		case "container", "job", "windows":
			d.instances = d.expand(v)
			for _, in := range d.instances {
				in.addr = addr.Addr{Template: sc.path, Kind: addr.Kind(d.kind.Name), Name: d.name, Key: in.key}
				r := d.reader(v, in.each)
				in.readPorts(r)
				in.readSource(r)
				in.readProfiles(r)
				e.diags = append(e.diags, r.in.diags...)
				if in.idle {
					sc.spec.idle = append(sc.spec.idle, in)
				} else {
					sc.spec.instances = append(sc.spec.instances, in)
				}
				sc.spec.byAddr[in.addr] = in
				for _, p := range in.ports {
					sc.spec.endpoints[addr.Endpoint{Addr: in.addr, Port: p.Name}] = p
				}
			}
		case "credential":
			d.instances = d.expand(v)
			for _, in := range d.instances {
				r := d.reader(v, in.each)
				sc.spec.sources = append(sc.spec.sources, r.credentialSource(d.credentialName(in.key), sc.dir))
				e.diags = append(e.diags, r.in.diags...)
			}
		case "volume":
			d.shapeVolume(v)
		case "template":
			if d.inside != nil {
				d.inside.shape(e)
			}
		}
	}
	if sc.parent == nil {
		slices.SortFunc(sc.spec.sources, func(a, b CredentialSource) int { return strings.Compare(a.Name, b.Name) })
	}
}

// credentialName is the name by which a credential is stored and asked for.
func (d *decl) credentialName(key string) string {
	name := d.name
	if d.scope.path != "" {
		name = d.scope.path + "." + name
	}
	if key != "" {
		return fmt.Sprintf("%s[%q]", name, key)
	}
	return name
}

// expand gives the block's instances; nil where its for_each is wrong.
func (d *decl) expand(v *view) []*instance {
	if d.eachAttr == nil {
		return []*instance{{decl: d}}
	}
	r := d.reader(v, nil)
	defer func() { v.eval.diags = append(v.eval.diags, r.in.diags...) }()
	val, ok := r.raw("for_each")
	if !ok {
		return nil
	}
	at := r.rangeOf("for_each")
	if isSecret(val) {
		r.report(fault(CodeSecret, at, "A secret cannot be in for_each", "Its keys become addresses, which everyone sees. Go over something that is not secret."))
		return nil
	}
	val, _ = val.UnmarkDeep()
	if !val.IsKnown() {
		return nil
	}
	values, problem := eachValues(val)
	if problem != "" {
		r.report(fault(CodeType, at, "Not something to go over", "%s", problem))
		return nil
	}
	out := make([]*instance, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if key == "" || strings.ContainsAny(key, "\x00\n\r") {
			r.report(fault(CodeValue, at, "Not a key", "%s cannot be a key of for_each: it becomes part of an address.", quote(key)))
			continue
		}
		out = append(out, &instance{decl: d, key: key, each: &eachValue{key, values[key]}})
	}
	return out
}

// eachValues gives the elements of a for_each by key, or says what is wrong with it.
func eachValues(val cty.Value) (map[string]cty.Value, string) {
	ty, out := val.Type(), map[string]cty.Value{}
	switch {
	case ty.IsObjectType() || ty.IsMapType():
		for it := val.ElementIterator(); it.Next(); {
			k, el := it.Element()
			out[k.AsString()] = el
		}
	case ty.IsSetType() || ty.IsListType() || ty.IsTupleType():
		for it := val.ElementIterator(); it.Next(); {
			_, el := it.Element()
			if !el.IsKnown() {
				continue
			}
			if el.IsNull() || el.Type() != cty.String {
				return nil, "for_each goes over a map, or over strings, and this has an element that is " + describe(el, false) + ". Make a map of it: { for x in … : x.name => x }."
			}
			if _, twice := out[el.AsString()]; twice {
				return nil, "for_each has " + quote(el.AsString()) + " twice, and each key can be there once. Use toset(…), or take one out."
			}
			out[el.AsString()] = el
		}
	case ty == cty.Number:
		return nil, "for_each goes over a map, a set or a list of strings, and this is " + describe(val, false) + `. To have so many, write [for i in range(` + keyText(val) + `) : "n${i}"].`
	default:
		return nil, "for_each goes over a map, a set or a list of strings, and this is " + describe(val, false) + "."
	}
	return out, ""
}

const maxPort = 65535

// readPorts reads the port blocks, which have no vantage.
func (in *instance) readPorts(r *reader) {
	seen := map[string]bool{}
	pinned := map[string]hcl.Range{}
	for _, b := range r.blocks("port") {
		p := Port{
			Name:     b.label(),
			Guest:    b.integer("guest", 1, maxPort),
			Host:     b.integer("host", 1, maxPort),
			Protocol: b.str("protocol"),
			Scheme:   b.str("scheme"),
		}
		if p.Protocol == "" {
			p.Protocol = "tcp"
		}
		if !identifier.MatchString(p.Name) {
			r.report(fault(CodeName, b.labels[0].at, "Not a name", "%q cannot be a port's name. A name starts with a letter, and letters, digits, \"_\" and \"-\" follow.", p.Name))
			continue
		}
		if seen[p.Name] {
			if len(b.body.Attributes) > 0 && in.decl.dynamicPorts {
				r.report(fault(CodeDuplicate, b.at, "Duplicate name", "%s has two ports %q. Give one of them another name.", r.title(), p.Name))
			}
			continue
		}
		pin := fmt.Sprintf("%d/%s", p.Host, p.Protocol)
		if before, ok := pinned[pin]; ok && p.Host != 0 {
			r.report(fault(CodeConflict, b.rangeOf("host"), "A port of the host is taken twice", "%s pins %d already, at %s. Leave host out to have one chosen.", r.title(), p.Host, place(before)))
		}
		seen[p.Name] = true
		pinned[pin] = b.rangeOf("host")
		in.ports = append(in.ports, p)
		if p.Protocol == "udp" {
			if in.udpAt == nil {
				in.udpAt = map[string]hcl.Range{}
			}
			in.udpAt[p.Name] = b.at
		}
	}
}

// readSource reads where a Windows machine comes from.
func (in *instance) readSource(r *reader) {
	if in.decl.kind.Name != "windows" {
		return
	}
	in.machine = &MachineDecl{}
	b := r.one("source")
	if b == nil {
		return
	}
	in.machine.Sandbox = b.label() == "sandbox"
	in.machine.Address = b.str("address")
	switch {
	case in.machine.Sandbox && b.has("address"):
		r.report(fault(CodeConflict, b.body.Attributes["address"].NameRange, "A sandbox has no address", "envctl makes the sandbox and knows where it is. Leave address out, or write source \"host\"."))
	case b.label() == "host" && !b.has("address"):
		r.report(fault(CodeMissing, b.at, "A required argument is missing", "source \"host\" needs \"address\": the name or IP address of the machine."))
	case in.machine.Address != "" && !isHost(in.machine.Address):
		r.report(fault(CodeValue, b.rangeOf("address"), "Not an address", "%s is not the name or the IP address of a machine alone. A port stands in winrm { port = 5986 }, and of https:// and paths there is no need.", quote(in.machine.Address)))
	case b.label() == "host" && r.one("winrm") == nil:
		r.report(fault(CodeMissing, r.at, "A required block is missing", "%s needs a winrm block: write winrm { credential = credential.NAME }.", r.title()))
	}
}

// isHost reports whether text is a name or an IP address, without a port or anything else.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return !strings.ContainsAny(text, ":/\\@ \t")
}

// credentialSource reads where a credential comes from.
func (r *reader) credentialSource(name, dir string) CredentialSource {
	c := CredentialSource{Name: name, Username: r.str("username")}
	if b := r.one("generate"); b != nil {
		c.Generate = &Generate{Length: b.integer("length", 8, 1024)}
	}
	if b := r.one("env"); b != nil {
		c.Env = &EnvSource{Username: b.str("username"), Password: b.str("password")}
		if c.Username != "" && c.Env.Username != "" {
			r.report(fault(CodeConflict, b.rangeOf("username"), "These exclude each other", "The user name is given by %q at %s already.", "username", place(r.rangeOf("username"))))
		}
	}
	if b := r.one("file"); b != nil {
		c.File = &FileSource{Path: resolvePath(dir, b.str("path"))}
	}
	if b := r.one("command"); b != nil {
		c.Command = b.strings("run")
		if len(c.Command) == 0 && b.has("run") {
			r.report(fault(CodeValue, b.rangeOf("run"), "An empty command", "Name a program and its arguments: run = [\"op\", \"read\", \"…\"]."))
		}
	}
	if b := r.one("keychain"); b != nil {
		c.Keychain = &KeychainSource{Service: b.str("service"), Account: b.str("account")}
	}
	return c
}

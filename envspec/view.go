package envspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
)

// evaluation is one pass over a spec with one source of addresses and credentials. Without
// addresses it is static: it gives variables, functions and locals without addresses.
type evaluation struct {
	spec        *Spec
	addresses   Addresses
	credentials Credentials
	views       map[viewKey]*view
	hostParts   map[addr.Endpoint]cty.Value
	secrets     map[string]cty.Value
	images      map[string]error // why a name cannot be that of an image; many containers have one image
	under       []frame          // the values that are being computed, outermost first
	diags       hcl.Diagnostics
	unknown     *hcl.Range // where a body lacks a value
}

func (s *Spec) evaluation(a Addresses, c Credentials) *evaluation {
	return &evaluation{
		spec: s, addresses: a, credentials: c,
		views: map[viewKey]*view{}, hostParts: map[addr.Endpoint]cty.Value{}, secrets: map[string]cty.Value{},
	}
}

func (e *evaluation) static() bool { return e.addresses == nil }

type viewKey struct {
	scope *scope
	at    addr.Addr
}

// view is a scope as somebody sees it: the same names, the addresses of whoever asks.
type view struct {
	eval  *evaluation
	scope *scope
	at    addr.Addr
	memo  map[[2]string]cty.Value
}

func (e *evaluation) view(sc *scope, at addr.Addr) *view {
	k := viewKey{sc, at}
	v := e.views[k]
	if v == nil {
		v = &view{eval: e, scope: sc, at: at}
		e.views[k] = v
	}
	return v
}

// context builds just enough of the world for what u refers to.
func (v *view) context(u *uses, each *eachValue) *hcl.EvalContext {
	ctx := v.scope.base.NewChild()
	ctx.Variables = make(map[string]cty.Value, len(u.parts)+1)
	for i := range u.parts {
		if val := v.part(&u.parts[i], each); val != cty.NilVal {
			ctx.Variables[u.parts[i].variable] = val
		}
	}
	for root, vals := range v.objects(u) {
		ctx.Variables[root] = cty.ObjectVal(vals)
	}
	if each != nil {
		ctx.Variables["each"] = cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(each.key), "value": each.value})
	}
	return ctx
}

// objects builds what u refers to as a whole, by the reference's first word.
func (v *view) objects(u *uses) map[string]map[string]cty.Value {
	var groups map[string]map[string]cty.Value
	put := func(root, name string, val cty.Value) {
		if groups == nil {
			groups = map[string]map[string]cty.Value{}
		}
		if groups[root] == nil {
			groups[root] = map[string]cty.Value{}
		}
		groups[root][name] = val
	}
	outputs := map[string]map[string]cty.Value{}
	for _, x := range u.list {
		if !x.whole {
			continue
		}
		val := v.value(x.root, x.name)
		if val == cty.NilVal {
			continue
		}
		if t, output, ok := strings.Cut(x.name, "."); ok && x.root == "template" {
			if outputs[t] == nil {
				outputs[t] = map[string]cty.Value{}
			}
			outputs[t][output] = val
			continue
		}
		put(x.root, x.name, val)
	}
	for t, vals := range outputs {
		put("template", t, cty.ObjectVal(vals))
	}
	return groups
}

// value gives what a reference's first two words stand for; cty.NilVal where that has no place in
// a static evaluation. What cannot be had because of a mistake elsewhere is unknown.
func (v *view) value(root, name string) cty.Value {
	switch root {
	case "path":
		return cty.StringVal(v.scope.dir)
	case "each":
		return cty.NilVal
	}
	if val, ok := v.lasting(root, name); ok {
		return val
	}
	k := [2]string{root, name}
	if val, ok := v.memo[k]; ok {
		return val
	}
	if v.memo == nil {
		v.memo = map[[2]string]cty.Value{}
	}
	if v.eval.enter(v, k) {
		v.memo[k] = v.compute(root, name)
		v.eval.leave()
	}
	return v.memo[k]
}

// lasting gives what is the same in every view and known already: nearly all that the body of a resource reads
// of variables and locals, and not worth a memory of its own.
func (v *view) lasting(root, name string) (cty.Value, bool) {
	if v.eval.static() {
		return cty.NilVal, false
	}
	switch root {
	case "var":
		if x := v.scope.variables[name]; x != nil && x.decl.scope.parent == nil {
			return x.value, true
		}
	case "local":
		if l := v.scope.locals[name]; l != nil && !l.addressed && !v.eval.spec.broken[l.attr] {
			return v.eval.spec.static.view(v.scope, addr.Host).value(root, name), true
		}
	}
	return cty.NilVal, false
}

func (v *view) compute(root, name string) cty.Value {
	sc, e := v.scope, v.eval
	switch root {
	case "var":
		x := sc.variables[name]
		if x == nil {
			return cty.DynamicVal
		}
		return v.variable(x)
	case "local":
		l := sc.locals[name]
		if l == nil || e.spec.broken[l.attr] {
			return cty.DynamicVal
		}
		if l.addressed && e.static() {
			return cty.NilVal
		}
		val, diags := l.attr.Expr.Value(v.context(l.uses, nil))
		return e.settle(val, diags)
	}
	if root == "volume" {
		return sc.volumes[name].volumeValue()
	}
	if e.static() {
		return cty.NilVal
	}
	switch root {
	case "credential":
		return v.credential(sc.credentials[name])
	case "template":
		t, output, _ := strings.Cut(name, ".")
		if d := sc.templates[t]; d != nil && d.inside != nil {
			return e.view(d.inside, v.at).value("output", output)
		}
		return cty.DynamicVal
	case "output":
		return v.output(sc.outputs[name])
	default:
		return v.resource(sc.resources[addr.Kind(root)][name])
	}
}

// settle keeps an expression's diagnostics; what failed is unknown from here on.
func (e *evaluation) settle(val cty.Value, diags hcl.Diagnostics) cty.Value {
	e.diags = append(e.diags, redact(diags)...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return val
}

// resource gives the object that container.NAME stands for: by key where it has for_each.
func (v *view) resource(d *decl) cty.Value {
	if d == nil || d.instances == nil {
		return cty.DynamicVal
	}
	if d.eachAttr == nil {
		return v.instance(d.instances[0])
	}
	all := make(map[string]cty.Value, len(d.instances))
	for _, in := range d.instances {
		all[in.key] = v.instance(in)
	}
	return cty.ObjectVal(all)
}

func (v *view) instance(in *instance) cty.Value {
	ports := make(map[string]cty.Value, len(in.ports))
	for _, p := range in.ports {
		ports[p.Name] = v.endpoint(addr.Endpoint{Addr: in.addr, Port: p.Name}, p)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"port": cty.ObjectVal(ports),
		hidden: cty.True.Mark(wholeMark{in.addr.String()}),
	})
}

// endpoint gives a port's object: its address as the view's own place reaches it, marked with the
// wire that using it means, and as the host's browser reaches it, which means nothing.
func (v *view) endpoint(to addr.Endpoint, p Port) cty.Value {
	host, port := v.eval.addresses.Address(v.at, to)
	parts := addressParts(host, port, p.Scheme)
	for k, val := range parts {
		parts[k] = val.Mark(wireMark{to: to})
	}
	parts["guest"] = cty.NumberIntVal(int64(p.Guest))
	if p.Scheme != "" {
		parts["scheme"] = cty.StringVal(p.Scheme)
	}
	parts["from_host"] = v.eval.fromHost(to, p)
	return cty.ObjectVal(parts)
}

func (e *evaluation) fromHost(to addr.Endpoint, p Port) cty.Value {
	val, ok := e.hostParts[to]
	if !ok {
		host, port := e.addresses.Address(addr.Host, to)
		val = cty.ObjectVal(addressParts(host, port, p.Scheme))
		e.hostParts[to] = val
	}
	return val
}

// credential gives the object that credential.NAME stands for.
func (v *view) credential(d *decl) cty.Value {
	if d == nil || d.instances == nil {
		return cty.DynamicVal
	}
	if d.eachAttr == nil {
		return v.eval.secret(d, "")
	}
	all := make(map[string]cty.Value, len(d.instances))
	for _, in := range d.instances {
		all[in.key] = v.eval.secret(d, in.key)
	}
	return cty.ObjectVal(all)
}

func (e *evaluation) secret(d *decl, key string) cty.Value {
	name := d.credentialName(key)
	if val, ok := e.secrets[name]; ok {
		return val
	}
	val := cty.DynamicVal
	c, err := e.credentials.Credential(name)
	if err != nil {
		e.diags = append(e.diags, fault(CodeValue, d.block.DefRange(), "A credential has no value", "credential.%s: %v", name, err))
	} else {
		val = cty.ObjectVal(map[string]cty.Value{
			"username": cty.StringVal(c.Username),
			"password": secretValue(cty.StringVal(c.Password)),
			hidden:     cty.StringVal(name).Mark(wholeMark{"credential." + name}),
		})
	}
	e.secrets[name] = val
	return val
}

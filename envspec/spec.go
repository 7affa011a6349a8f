package envspec

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/envctl/envctl/internal/addr"
)

// Spec is a loaded spec: what exists is known, what is in it is evaluated on demand. It may be
// used by several goroutines at once.
type Spec struct {
	Dir         string // absolute
	Name        string
	Description string
	// Elsewhere names the engine where it is on another computer, for Evaluate: then a folder of this one cannot be
	// mounted.
	Elsewhere string

	options  LoadOptions
	language *block
	files    map[string]*hcl.File
	root     *scope
	failed   bool

	instances []*instance // in the order of the source, then of the keys
	idle      []*instance // what is not up, in the same order
	byAddr    map[addr.Addr]*instance
	endpoints map[addr.Endpoint]Port
	sources   []CredentialSource
	static    *evaluation

	broken  map[*hclsyntax.Attribute]bool // does not resolve, so it is not evaluated
	keyUses []keyUse
	sums    sums

	mu    sync.Mutex
	texts map[string][]byte
}

func newSpec(o LoadOptions) *Spec {
	dir, err := filepath.Abs(cmp.Or(o.Dir, "."))
	if err != nil {
		dir = o.Dir
	}
	return &Spec{
		Dir: dir, options: o, language: language(),
		files: map[string]*hcl.File{}, byAddr: map[addr.Addr]*instance{}, endpoints: map[addr.Endpoint]Port{},
		broken: map[*hclsyntax.Attribute]bool{}, sums: sums{done: map[string]fileSum{}}, texts: map[string][]byte{},
	}
}

// Sources are the files that were read, by the name that diagnostics give them.
func (s *Spec) Sources() map[string]*hcl.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.files)
}

// Credentials are the credential blocks, by name; one with for_each is name["key"].
func (s *Spec) Credentials() []CredentialSource { return slices.Clone(s.sources) }

// Endpoints are all declared ports of what is up, in the order of the resources' addresses.
func (s *Spec) Endpoints() []EndpointDecl {
	out := make([]EndpointDecl, 0, len(s.endpoints))
	for e, p := range s.endpoints {
		if !s.byAddr[e.Addr].idle {
			out = append(out, EndpointDecl{Endpoint: e, Port: p})
		}
	}
	slices.SortFunc(out, func(a, b EndpointDecl) int { return compareEndpoint(a.Endpoint, b.Endpoint) })
	return out
}

// ResourceDecl is a resource that a spec declares, known before anything is evaluated.
type ResourceDecl struct {
	Addr  addr.Addr
	Range hcl.Range // of its block's head
	// Machine is set for a Windows machine.
	Machine *MachineDecl
	// Profiles are those of which one must be asked for; none for what is always up.
	Profiles []string
}

// MachineDecl says where a Windows machine comes from.
type MachineDecl struct {
	Sandbox bool
	Address string // of a machine that exists; "" for a sandbox
}

// Resources are the containers, jobs and machines that are to be up, in the order of the source and of their keys.
func (s *Spec) Resources() []ResourceDecl { return resourceDecls(s.instances) }

func resourceDecls(instances []*instance) []ResourceDecl {
	out := make([]ResourceDecl, len(instances))
	for i, in := range instances {
		out[i] = ResourceDecl{Addr: in.addr, Range: in.decl.block.DefRange(), Machine: in.machine, Profiles: in.profiles}
	}
	return out
}

// environ looks up a variable of the host's environment.
func (s *Spec) environ(name string) (string, bool) {
	if s.options.Environ == nil {
		return "", false
	}
	return s.options.Environ(name)
}

// TemplateDecl is a template that a spec uses, directly or within another.
type TemplateDecl struct {
	Name  string    // as in addr.Addr.Template
	Dir   string    // of its files, absolute
	Range hcl.Range // of its block's head
}

// Templates are all template blocks, in the order of their names.
func (s *Spec) Templates() []TemplateDecl { return s.root.templateDecls() }

func (sc *scope) templateDecls() (out []TemplateDecl) {
	if sc == nil {
		return nil
	}
	for _, name := range names(sc.templates) {
		if t := sc.templates[name]; t.inside != nil {
			out = append(out, TemplateDecl{Name: t.inside.path, Dir: t.inside.dir, Range: t.block.DefRange()})
			out = append(out, t.inside.templateDecls()...)
		}
	}
	return out
}

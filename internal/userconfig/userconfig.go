// Package userconfig reads the user's configuration file, which holds what is of a person and their computer rather than
// of a project: how one gets out of the corporate network. Every fault is a diagnostic with its line. What the settings
// do is left to others.
package userconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/internal/secret"
)

// Config is what the file says. The zero Config is that of a user who has none.
type Config struct {
	Network *Network
	// Source is the file as it may be shown with a diagnostic: logins in URLs are masked.
	Source *hcl.File
}

// Network is the block of that name.
type Network struct {
	CAFiles  []File
	Keychain bool
	Proxy    secret.Text
	NoProxy  []string
	// KeychainRange and the ranges of files say where a setting stands.
	KeychainRange hcl.Range
}

// File is a file that the configuration names.
type File struct {
	Path  string // absolute
	Range hcl.Range
}

var (
	fileSchema    = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "network"}}}
	networkSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "ca_file"}, {Name: "keychain"}, {Name: "proxy"}, {Name: "no_proxy"}}}
	login         = lazyregexp.New(`://[^"\n]*@`)
)

// Read reads the file at path. One that is not there is an empty Config.
func Read(path string) (Config, hcl.Diagnostics) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "The user's configuration cannot be read", Detail: err.Error()}}
	}
	return parse(src, path)
}

func parse(src []byte, path string) (Config, hcl.Diagnostics) {
	// As long as what it stands for, so that ranges still fit.
	masked := login.ReplaceAllFunc(src, func(m []byte) []byte { return []byte("://" + strings.Repeat("*", len(m)-4) + "@") })
	c := Config{Source: &hcl.File{Bytes: masked}}
	file, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if diags.HasErrors() {
		return c, diags
	}
	content, diags := file.Body.Content(fileSchema)
	for i, block := range content.Blocks {
		if i > 0 {
			diags = append(diags, fault(block.DefRange, "A second network block", "There is one network; put the arguments of both into the first block."))
			continue
		}
		attrs, more := block.Body.Content(networkSchema)
		r := reader{dir: filepath.Dir(path), diags: append(diags, more...)}
		c.Network = r.network(attrs.Attributes)
		diags = r.diags
	}
	return c, diags
}

type reader struct {
	dir   string
	diags hcl.Diagnostics
}

func (r *reader) network(attrs hcl.Attributes) *Network {
	n := &Network{}
	if a := attrs["ca_file"]; a != nil {
		for _, name := range r.list(a) {
			n.CAFiles = append(n.CAFiles, File{Path: Abs(r.dir, name), Range: a.Expr.Range()})
		}
	}
	if a := attrs["keychain"]; a != nil {
		n.KeychainRange = a.Range
		if v, ok := r.value(a, cty.Bool); ok {
			n.Keychain = v.True()
		}
	}
	if a := attrs["proxy"]; a != nil {
		if v, ok := r.value(a, cty.String); ok && v.AsString() != "" {
			if n.Proxy, ok = egress.ProxyURL(v.AsString()); !ok {
				r.diags = append(r.diags, fault(a.Expr.Range(), "Not the address of a proxy",
					"Write it as \"http://proxy.corp:3128\"; what is not a letter or digit in a login is percent-encoded."))
			}
		}
	}
	if a := attrs["no_proxy"]; a != nil {
		n.NoProxy = r.list(a)
	}
	return n
}

// list reads one string, or a list of them.
func (r *reader) list(a *hcl.Attribute) (list []string) {
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() {
		r.diags = append(r.diags, diags...)
		return nil
	}
	if v.Type() == cty.String && !v.IsNull() {
		v = cty.TupleVal([]cty.Value{v})
	}
	v, err := convert.Convert(v, cty.List(cty.String))
	if err != nil || v.IsNull() || !v.IsWhollyKnown() {
		r.diags = append(r.diags, fault(a.Expr.Range(), "Not what "+a.Name+" takes", "It takes a string, or a list of strings."))
		return nil
	}
	for _, s := range v.AsValueSlice() {
		if s.IsNull() || s.AsString() == "" {
			r.diags = append(r.diags, fault(a.Expr.Range(), "An empty item", "Take it out of "+a.Name+"."))
			continue
		}
		list = append(list, s.AsString())
	}
	return list
}

func (r *reader) value(a *hcl.Attribute, want cty.Type) (cty.Value, bool) {
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() {
		r.diags = append(r.diags, diags...)
		return v, false
	}
	v, err := convert.Convert(v, want)
	if err != nil || v.IsNull() || !v.IsKnown() {
		r.diags = append(r.diags, fault(a.Expr.Range(), "Not what "+a.Name+" takes", "It takes a "+want.FriendlyName()+"."))
		return v, false
	}
	return v, true
}

func fault(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}
}

// Abs gives a path that a person wrote, from dir and with ~ for their home.
func Abs(dir, name string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

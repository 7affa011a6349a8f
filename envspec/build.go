package envspec

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/internal/secret"
)

// build reads a build block and checks that what it names is there.
func (r *reader) build(sc *scope) *Build {
	b := &Build{
		Dockerfile: r.str("dockerfile"), Inline: r.str("inline"), Target: r.str("target"),
		Secrets: r.buildSecrets(sc), CacheFrom: r.strings("cache_from"),
	}
	for _, ref := range b.CacheFrom {
		if _, err := reference.ParseNormalizedNamed(ref); err != nil {
			r.report(notImage(r.rangeOf("cache_from"), ref, err))
		}
	}
	for k, v := range r.plainMap("args") {
		if b.Args == nil {
			b.Args = map[string]secret.Text{}
		}
		b.Args[k] = secret.Plain(v)
	}
	switch path := r.str("context"); {
	case path != "":
		b.Context = resolvePath(sc.dir, path)
		if info, err := os.Stat(b.Context); err != nil || !info.IsDir() {
			r.report(fault(CodeFile, r.rangeOf("context"), "No such folder", "There is no folder %s to build from.", b.Context))
			return b
		}
	case !r.has("context") && !r.has("inline"):
		r.report(fault(CodeMissing, r.at, "Something is missing", "build needs a context, or an inline Dockerfile."))
		return b
	}
	if b.Inline == "" && !r.has("inline") && b.Context != "" {
		name := b.Dockerfile
		if name == "" {
			name = "Dockerfile"
		}
		at := r.rangeOf("dockerfile")
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			r.report(fault(CodeFile, at, "Outside the context", "The Dockerfile is named from the context, and must be in it; %s is not.", quote(name)))
		} else if info, err := os.Stat(filepath.Join(b.Context, filepath.FromSlash(name))); err != nil || info.IsDir() {
			r.report(fault(CodeFile, at, "No Dockerfile", "There is no %s in %s. Name it with dockerfile = \"…\", or write it out with inline.", name, b.Context))
		}
	}
	return b
}

// imageError says why a name cannot be that of an image.
func (e *evaluation) imageError(ref string) error {
	err, known := e.images[ref]
	if ref == "" || known {
		return err
	}
	if e.images == nil {
		e.images = map[string]error{}
	}
	_, err = reference.ParseAnyReference(ref)
	e.images[ref] = err
	return err
}

// notImage says why a name cannot be that of an image.
func notImage(at hcl.Range, ref string, err error) *hcl.Diagnostic {
	why := strings.TrimPrefix(err.Error(), "invalid reference format: ")
	if why == "invalid reference format" {
		why = "it is written NAME:TAG, without spaces"
	}
	return fault(CodeValue, at, "Not an image", "%s cannot be the name of an image: %s. Write one such as \"postgres:17\" or \"registry.example.com/team/app:1.2\".", quote(ref), why)
}

var secretID = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// buildSecrets reads what steps of a build may see and the image does not keep.
func (r *reader) buildSecrets(sc *scope) map[string]secret.Text {
	var secrets map[string]secret.Text
	for _, b := range r.blocks("secret") {
		id, value := b.label(), b.textOr("value")
		if source := b.str("source"); source != "" {
			text, err := sc.spec.readText(resolvePath(sc.dir, source))
			if err != nil {
				r.report(fault(CodeFile, b.rangeOf("source"), "Cannot read the file", "%s.", upperFirst(err.Error())))
			}
			value.Value = string(text)
		}
		if !secretID.MatchString(id) {
			r.report(fault(CodeName, b.labels[0].at, "Not the id of a secret", "%s becomes the name of a file in /run/secrets. Use letters, digits, \"_\", \".\" and \"-\".", quote(id)))
		}
		value.Sensitive = true
		if secrets == nil {
			secrets = map[string]secret.Text{}
		}
		secrets[id] = value
	}
	return secrets
}

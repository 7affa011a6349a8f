package composeimport

import (
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// build writes a build block.
func (im *importer) build(w *writer, s *service) {
	b := *s.Build
	at := func(name ...string) []string { return append([]string{"services", s.Name, "build"}, name...) }
	w.block("build", func(w *writer) {
		if b.Context != "" {
			w.attr("context", quote(im.shorten(b.Context)))
		}
		if name := b.Dockerfile; name != "" && b.DockerfileInline == "" {
			if filepath.IsAbs(name) {
				if rel, err := filepath.Rel(b.Context, name); err == nil {
					name = filepath.ToSlash(rel)
				}
			}
			if name = filepath.ToSlash(filepath.Clean(name)); name != "Dockerfile" {
				w.attr("dockerfile", quote(name))
			}
		}
		if b.DockerfileInline != "" {
			w.attr("inline", inline(im.text(b.DockerfileInline, shows, at("dockerfile_inline")...), "DOCKERFILE"))
		}
		if b.Target != "" {
			w.attr("target", im.text(b.Target, shows, at("target")...).hcl())
		}
		if len(b.Args) > 0 {
			args := map[string]text{}
			for k, v := range b.Args {
				if v == nil {
					var t text
					t.s = t.add(expr{code: "env(" + quote(k) + ", \"\")"})
					args[k] = t
					continue
				}
				args[k] = im.text(*v, shows, at("args", k)...)
			}
			w.object("args", args)
		}
		b.CacheFrom = cacheFrom(w, b.CacheFrom)
		im.buildSecrets(w, b.Secrets)
		b.Context, b.Dockerfile, b.DockerfileInline, b.Target, b.Args, b.Secrets = "", "", "", "", nil, nil
		w.leftovers("build.", b, nil)
	})
}

// buildSecrets writes what steps of the build may see.
func (im *importer) buildSecrets(w *writer, refs []types.ServiceSecretConfig) {
	all := secretObjects(im.project)
	for _, ref := range refs {
		id := ref.Target
		if id == "" {
			id = ref.Source
		}
		object, what := all[ref.Source], "build.secrets "+ref.Source
		switch {
		case object.File != "" && !exists(object.File):
			w.left(what + ": " + im.shorten(object.File) + " is not there")
		case object.File != "":
			w.block("secret "+quote(id), func(w *writer) { w.attr("source", quote(im.shorten(object.File))) })
		case object.Environment != "":
			im.use(object.Environment, hides)
			w.block("secret "+quote(id), func(w *writer) { w.attr("value", "var."+identifier(object.Environment)) })
		case object.Content != "":
			t := im.text(object.Content, hides, "secrets", ref.Source, "content")
			w.block("secret "+quote(id), func(w *writer) { w.attr("value", inline(t, "EOT")) })
		default:
			w.left(what + ": its content is not in the Compose file; give it in a secret block, from a credential or a variable")
		}
	}
}

// cacheFrom writes the images to take layers from, and gives the sources that are something else.
func cacheFrom(w *writer, sources []string) (others []string) {
	var images []text
	for _, source := range sources {
		ref, of := source, "registry"
		for part := range strings.SplitSeq(source, ",") {
			if v, ok := strings.CutPrefix(part, "ref="); ok {
				ref = v
			} else if v, ok := strings.CutPrefix(part, "type="); ok {
				of = v
			}
		}
		if of != "registry" || strings.Contains(ref, "=") {
			others = append(others, source)
			continue
		}
		images = append(images, literal(ref))
	}
	if len(images) > 0 {
		w.attr("cache_from", list(images))
	}
	return others
}

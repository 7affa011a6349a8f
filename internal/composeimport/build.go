package composeimport

import "path/filepath"

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
		b.Context, b.Dockerfile, b.DockerfileInline, b.Target, b.Args = "", "", "", "", nil
		w.leftovers("build.", b, nil)
	})
}

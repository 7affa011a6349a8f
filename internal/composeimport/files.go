package composeimport

import (
	"path"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

func configObjects(p *types.Project) map[string]types.FileObjectConfig {
	out := map[string]types.FileObjectConfig{}
	for name, c := range p.Configs {
		out[name] = types.FileObjectConfig(c)
	}
	return out
}

func secretObjects(p *types.Project) map[string]types.FileObjectConfig {
	out := map[string]types.FileObjectConfig{}
	for name, c := range p.Secrets {
		out[name] = types.FileObjectConfig(c)
	}
	return out
}

// usedObjects names the configs or secrets that services mount.
func (im *importer) usedObjects(kind string) map[string]bool {
	used := map[string]bool{}
	for _, s := range im.project.Services {
		if kind == "config" {
			for _, c := range s.Configs {
				used[c.Source] = true
			}
			continue
		}
		for _, c := range s.Secrets {
			used[c.Source] = true
		}
		if s.Build != nil {
			for _, c := range s.Build.Secrets {
				used[c.Source] = true
			}
		}
	}
	return used
}

// files writes configs and secrets, which are copied into the container.
func (im *importer) files(w *writer, s *service) {
	configs, secrets := configObjects(im.project), secretObjects(im.project)
	for _, c := range s.Configs {
		target := c.Target
		if target == "" {
			target = "/" + c.Source
		}
		object, known := configs[c.Source]
		im.file(w, "config", target, types.FileReferenceConfig(c), object, known)
	}
	for _, c := range s.Secrets {
		target := c.Target
		if target == "" {
			target = c.Source
		}
		if !path.IsAbs(target) {
			target = "/run/secrets/" + target
		}
		object, known := secrets[c.Source]
		im.file(w, "secret", target, types.FileReferenceConfig(c), object, known)
	}
	s.Configs, s.Secrets = nil, nil
}

// file writes one file block. A secret is marked as one; its mode is Compose's, as the process that reads
// it may not be root.
func (im *importer) file(w *writer, kind, target string, ref types.FileReferenceConfig, object types.FileObjectConfig, known bool) {
	what := kind + " " + ref.Source + " at " + target
	var content string
	switch {
	case !known:
		w.left(what + ": there is no such " + kind)
		return
	case bool(object.External):
		w.left(what + ": it is external; give its content in a file block, from a credential or a variable")
		return
	case object.File != "":
		if !exists(object.File) {
			w.left(what + ": " + im.shorten(object.File) + " is not there")
			return
		}
		content = quote(im.shorten(object.File))
	case object.Environment != "":
		im.use(object.Environment, hides)
		content = "var." + identifier(object.Environment)
		if !secretName(object.Environment) && kind == "secret" {
			content = "sensitive(" + content + ")"
		}
	case object.Content != "":
		t := im.text(object.Content, hides, kind+"s", ref.Source, "content")
		content = inline(t, "EOT")
	default:
		w.left(what + ": its content is not in the Compose file")
		return
	}
	head, value := "file "+quote(target), "content"
	if name, ok := strings.CutPrefix(target, "/run/secrets/"); ok && kind == "secret" && name == volumeLabel(name) {
		head, value = "secret "+quote(name), "value"
	}
	w.block(head, func(w *writer) {
		switch {
		case object.File != "" && value == "value":
			w.attr(value, "file("+content+")")
		case object.File != "" && kind == "secret":
			w.attr("content", "sensitive(file("+content+"))")
		case object.File != "":
			w.attr("source", content)
		default:
			w.attr(value, content)
		}
		switch {
		case ref.Mode != nil:
			w.attr("mode", quote("0"+strconv.FormatInt(int64(*ref.Mode), 8)))
		case kind == "secret":
			w.attr("mode", quote("0444"))
		}
		for _, id := range []struct{ name, value string }{{"uid", ref.UID}, {"gid", ref.GID}} {
			if _, err := strconv.Atoi(id.value); err == nil {
				w.attr(id.name, id.value)
			} else if id.value != "" {
				w.left(id.name + ": " + id.value + " (a number is needed)")
			}
		}
	})
	object.File, object.Environment, object.Content, object.Name = "", "", "", ""
	w.leftover(kind+" "+ref.Source, object)
}

// inline writes a text of several lines as a heredoc.
func inline(t text, word string) string {
	s := t.s
	if !strings.HasSuffix(s, "\n") || strings.Count(s, "\n") < 2 || strings.ContainsAny(s, "\r\x00") {
		return t.hcl()
	}
	for strings.Contains(s, word) {
		word += "X"
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "${", "$${"), "%{", "%%{")
	s = marker.ReplaceAllStringFunc(s, func(m string) string { return "${" + t.exprs[number(m)].code + "}" })
	return "<<" + word + "\n" + s + word
}

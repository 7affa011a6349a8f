package docker

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/egress"
)

// stepEgress is what the steps of a build need to trust an inspecting proxy; its zero value is nothing.
type stepEgress struct {
	args  string            // an ARG instruction with the variables
	files map[string]string // by path in the build
}

// buildEgress adds the proxies to a build's arguments, and gives what else its steps need to get out. Proxies are arguments
// that every builder knows by name: they reach no image, no history and no cache key. The variables of the CA are
// arguments too, and its certificates are files.
func buildEgress(b *envspec.Build, args map[string]*string) stepEgress {
	s := b.Egress
	if s == nil {
		return stepEgress{}
	}
	for name, v := range s.ProxyEnv() {
		if _, own := args[name]; !own {
			value := v.Reveal()
			args[name] = &value
		}
	}
	if s.CA == "" {
		return stepEgress{}
	}
	env := s.CAEnv()
	env["APT_CONFIG"] = egress.AptPath
	text := "ARG" // one instruction, as each costs the classic builder a layer
	for _, name := range slices.Sorted(maps.Keys(env)) {
		text += " " + name + "=" + env[name]
	}
	return stepEgress{args: text, files: map[string]string{
		egress.CAPath: s.CA, egress.BundlePath: s.Bundle(""), egress.AptPath: egress.AptConf,
	}}
}

// sentEgress is the folder in which the files go to the classic builder.
const sentEgress = ".envctl.egress"

// copied is what goes after FROM for the classic builder, which has no way to lend files: they stay in the image, where
// nothing uses them.
func (e stepEgress) copied() string {
	if e.args == "" {
		return ""
	}
	return "COPY " + sentEgress + "/ " + egress.Folder + "/\n" + e.args
}

func (e stepEgress) sent() map[string]string {
	sent := map[string]string{}
	for name, text := range e.files {
		sent[path.Join(sentEgress, path.Base(name))] = text
	}
	return sent
}

// mounts are the flags of a RUN with which BuildKit lends the files to it alone.
func (e stepEgress) mounts() string {
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(e.files)) {
		flags = append(flags, "--mount=type=secret,id="+secretID(name)+",target="+name+",mode=0444")
	}
	return strings.Join(flags, " ")
}

func secretID(name string) string { return "envctl-" + path.Base(name) }

// secrets adds the files to those of a build.
func (e stepEgress) secrets(own map[string][]byte) map[string][]byte {
	for name, text := range e.files {
		own[secretID(name)] = []byte(text)
	}
	return own
}

package composeimport

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/go-units"
	"gopkg.in/yaml.v3"
)

// reasons say why an attribute of a service is not carried over, or what there is in its place.
var reasons = map[string]string{
	"container_name": "containers are named after the environment and the instance",
	"network_mode":   "containers are on the environment's one network",
	"networks":       "containers are on the environment's one network, under their own names",
	"links":          "containers reach each other by their own names",
	"external_links": "nothing outside the environment is on its network",
	"stdin_open":     "use envctl exec",
	"tty":            "use envctl exec",
	"volumes_from":   "name the volumes here",
}

// container writes a service's block. What is taken over is taken out of the service, and what is then
// still in it is commented on: so nothing is lost that this package does not know.
func (im *importer) container(w *writer, s *service) {
	if s.unable != "" {
		w.left("service " + s.Name + " is not carried over: " + s.unable + ". It was")
		w.commentYAML(s.ServiceConfig)
		w.line("")
		return
	}
	if host := dns(s.name); host != s.Name {
		w.left("service " + s.Name + " is reached as " + host + " here")
	}
	w.block(s.kind+" "+quote(s.name), func(w *writer) { im.body(w, s) })
	w.line("")
}

func (im *importer) body(w *writer, s *service) {
	for _, note := range s.notes {
		w.comment(note)
	}
	builds := s.Build != nil && im.unbuildable(s.Build) == ""
	var mounts []string // what is the host's own already
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeBind {
			mounts = append(mounts, v.Target)
		}
	}
	im.image(w, s)
	arguments(w, s)
	im.environmentBlock(w, s)
	im.process(w, s)
	im.limits(w, s)
	im.privileges(w, s)
	im.profiles(w, s)
	tail := &writer{}
	s.portBlocks(tail)
	im.mounts(w, tail, s)
	im.files(tail, s)
	im.logging(tail, s)
	im.ready(tail, s)
	im.watch(tail, s, builds, mounts)
	if len(s.after) > 0 {
		w.attr("depends_on", "["+strings.Join(s.after, ", ")+"]")
	}
	if s.Name != "" {
		s.ServiceConfig.Name = ""
	}
	s.Links = realLinks(s.Links)
	s.Networks = plainNetworks(s.Networks)
	w.leftovers("", s.ServiceConfig, reasons)
	w.raw(tail.String())
}

// image writes what the container runs.
func (im *importer) image(w *writer, s *service) {
	t := im.text(s.Image, shows, "services", s.Name, "image")
	if s.Build == nil {
		w.attr("image", t.hcl())
		im.pull(w, s, false)
		s.Image = ""
		return
	}
	if why := im.unbuildable(s.Build); why != "" {
		w.attr("image", t.hcl())
		im.pull(w, s, false)
		w.left("build: " + why)
		w.leftovers("build.", s.Build, nil)
	} else {
		if s.Image != "" {
			w.left("image: " + s.Image + " (what is built here is known by the hash of what goes into it)")
		}
		im.build(w, s)
	}
	s.Image, s.Build = "", nil
}

// arguments writes the command line.
func arguments(w *writer, s *service) {
	for _, name := range []string{"entrypoint", "command"} {
		if words := s.cmd[name]; len(words) > 0 {
			w.attr(name, list(words))
		}
	}
	if s.Entrypoint != nil {
		w.left("entrypoint: [] (Compose took the image's own away)")
	}
	if s.Command != nil {
		w.left("command: [] (Compose took the image's own away)")
	}
	s.Entrypoint, s.Command = nil, nil
}

func (im *importer) environmentBlock(w *writer, s *service) {
	if len(s.env) == 0 {
		return
	}
	w.line("env = {")
	for _, e := range s.env {
		for _, n := range e.notes {
			w.comment(n)
		}
		w.line(key(e.key) + " = " + e.value)
	}
	w.line("}")
}

// process writes how the container runs.
func (im *importer) process(w *writer, s *service) {
	for _, a := range []struct {
		name  string
		value *string
	}{{"user", &s.User}, {"working_dir", &s.WorkingDir}, {"platform", &s.Platform}, {"stop_signal", &s.StopSignal}} {
		if *a.value != "" {
			w.attr(a.name, im.text(*a.value, shows, "services", s.Name, a.name).hcl())
			*a.value = ""
		}
	}
	if s.kind == "job" {
		if s.Restart != "" && s.Restart != "no" {
			w.left("restart: " + s.Restart + " (a job that failed runs again with the next up)")
		}
		s.Restart = ""
	}
	im.restart(w, s)
	if d := s.StopGracePeriod; d != nil {
		w.attr("stop_grace", quote(span(time.Duration(*d))))
		s.StopGracePeriod = nil
	}
	if s.Init != nil {
		w.attr("init", strconv.FormatBool(*s.Init))
		s.Init = nil
	}
	if len(s.ExtraHosts) > 0 {
		hosts := map[string]text{}
		for name, addresses := range s.ExtraHosts {
			hosts[name] = literal(addresses[0])
			for _, more := range addresses[1:] {
				w.left("extra_hosts: " + name + "=" + more + " (one address for each name)")
			}
		}
		w.object("extra_hosts", hosts)
		s.ExtraHosts = nil
	}
	if len(s.Labels) > 0 {
		labels := map[string]text{}
		for k, v := range s.Labels {
			labels[k] = im.text(v, shows, "services", s.Name, "labels", k)
		}
		w.object("labels", labels)
		s.Labels = nil
	}
}

func (w *writer) object(name string, values map[string]text) {
	w.line(name + " = {")
	for _, k := range sorted(values) {
		w.line(key(k) + " = " + values[k].hcl())
	}
	w.line("}")
}

// restart writes the restart policy, which Compose also takes from deploy.
func (im *importer) restart(w *writer, s *service) {
	policy := s.Restart
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil {
		p := s.Deploy.RestartPolicy
		if policy == "" {
			policy = map[string]string{"": "always", "any": "always", "on-failure": "on-failure", "none": "no"}[p.Condition]
			p.Condition = ""
		}
		if isEmpty(p) {
			s.Deploy.RestartPolicy = nil
		}
	}
	s.Restart = ""
	name, tries, limited := strings.Cut(policy, ":")
	switch name {
	case "":
		return
	case "no", "on-failure", "unless-stopped", "always":
		w.attr("restart", quote(name))
		if limited {
			w.left("restart: " + policy + " (tries are not limited to " + tries + ")")
		}
	default:
		w.left("restart: " + policy)
	}
}

// limits writes memory and cpus, of the service or of deploy.
func (im *importer) limits(w *writer, s *service) {
	memory, cpus := int64(s.MemLimit), float64(s.CPUS)
	if d := s.Deploy; d != nil && d.Resources.Limits != nil {
		l := d.Resources.Limits
		if l.MemoryBytes > 0 {
			memory, l.MemoryBytes = int64(l.MemoryBytes), 0
		}
		if l.NanoCPUs > 0 {
			cpus, l.NanoCPUs = float64(l.NanoCPUs.Value()), 0
		}
		if isEmpty(l) {
			d.Resources.Limits = nil
		}
	}
	if memory > 0 {
		w.attr("memory", size(memory))
	}
	if cpus > 0 {
		w.attr("cpus", strconv.FormatFloat(cpus, 'g', 6, 64))
	}
	s.MemLimit, s.CPUS = 0, 0
	if n := s.GetScale(); n > 1 {
		w.left(fmt.Sprintf("%d replicas (for_each = toset([\"1\", \"2\", …]) makes several, each with a name of its own)", n))
	} else if n == 0 {
		w.left("0 replicas: Compose starts none of it")
	}
	s.Scale = nil
	if s.Deploy != nil {
		s.Deploy.Replicas = nil
		if isEmpty(s.Deploy) {
			s.Deploy = nil
		}
	}
}

// size writes a number of bytes. Compose's units are powers of two, and so are the language's.
func size(n int64) string {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"GB", units.GiB}, {"MB", units.MiB}, {"KB", units.KiB}} {
		if n%unit.bytes == 0 {
			return quote(strconv.FormatInt(n/unit.bytes, 10) + unit.name)
		}
	}
	return strconv.FormatInt(n, 10)
}

// span writes a duration without the zeros that Go puts at its end.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// realLinks are the links that give a service another name.
func realLinks(links []string) (out []string) {
	for _, l := range links {
		if name, alias, ok := strings.Cut(l, ":"); ok && name != alias {
			out = append(out, l)
		}
	}
	return out
}

// plainNetworks leaves out the networks of which a service asks nothing but to be on them: the top of the
// spec says that there is one.
func plainNetworks(networks map[string]*types.ServiceNetworkConfig) map[string]*types.ServiceNetworkConfig {
	out := map[string]*types.ServiceNetworkConfig{}
	for name, n := range networks {
		if n != nil && !isEmpty(n) {
			out[name] = n
		}
	}
	return out
}

// isEmpty reports whether nothing of a value would stand in YAML.
func isEmpty(v any) bool {
	var n yaml.Node
	return n.Encode(v) == nil && empty(&n)
}

// commentYAML shows a whole value as comment lines.
func (w *writer) commentYAML(v any) {
	out, err := yaml.Marshal(v)
	if err != nil {
		w.comment(err.Error())
		return
	}
	for line := range strings.SplitSeq(strings.TrimRight(string(out), "\n"), "\n") {
		w.line("#   " + clean(line))
	}
}

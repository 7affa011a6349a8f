package composeimport

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/envctl/envctl/internal/addr"
)

// service is one of Compose's and the container that it becomes.
type service struct {
	types.ServiceConfig
	kind   string   // "container" or "job"
	name   string   // the block's
	active []string // profiles
	unable string   // why there is no container; "" where there is one
	ports  []*port
	env    []entry
	cmd    map[string][]text // command and entrypoint
	after  []string          // depends_on that can be carried
	notes  []string          // comments that belong to the body as a whole
}

// port is a port block.
type port struct {
	name, scheme, protocol string
	guest                  uint32
	host                   string
	why                    string // comment
}

// entry is one line of env, with what there is to say of it.
type entry struct {
	key   string
	value string // an expression
	notes []string
}

// survey lists the services and what each is called, and declares the ports that the files name.
func (im *importer) survey() {
	seen := map[string]bool{}
	taken := map[string]bool{}
	completes := map[string]bool{}
	for _, cfg := range im.project.Services {
		for name, d := range cfg.DependsOn {
			if d.Condition == types.ServiceConditionCompletedSuccessfully {
				completes[name] = true
			}
		}
	}
	for _, name := range append(im.order, sorted(im.project.Services)...) {
		cfg, ok := im.project.Services[name]
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		s := &service{ServiceConfig: cfg, kind: "container", name: identifier(name), active: cfg.Profiles, cmd: map[string][]text{}}
		if completes[name] && endsByItself(cfg) {
			s.kind = "job"
		}
		for n := 2; taken[dns(s.name)] || dns(s.name) == ""; n++ {
			s.name = fmt.Sprintf("%s-%d", identifier(name), n)
		}
		taken[dns(s.name)] = true
		s.unable = im.unable(s)
		im.services = append(im.services, s)
		im.byName[name] = s
		im.edges[name] = map[string]bool{}
		for _, v := range cfg.Volumes {
			if s.unable == "" && v.Type == types.VolumeTypeVolume && v.Source != "" {
				im.mounted[v.Source] = append(im.mounted[v.Source], name)
			}
		}
	}
	im.share()
	for _, s := range im.services {
		im.declarePorts(s)
	}
	for _, s := range im.services {
		for _, name := range sorted(s.DependsOn) {
			im.depend(s, name, s.DependsOn[name])
		}
		s.DependsOn = nil
		for _, link := range s.Links {
			name, _, _ := strings.Cut(link, ":")
			if im.byName[name] != nil && !im.edges[s.Name][name] {
				im.depend(s, name, types.ServiceDependency{Condition: types.ServiceConditionStarted, Required: true})
			}
		}
	}
}

func dns(name string) string { return addr.Addr{Kind: addr.Container, Name: name}.DNS() }

// endsByItself reports whether a service that others wait for to complete has nothing of one that stays.
func endsByItself(s types.ServiceConfig) bool {
	stays := s.Restart == types.RestartPolicyAlways || s.Restart == types.RestartPolicyUnlessStopped
	return len(s.Ports) == 0 && len(s.Expose) == 0 && (s.HealthCheck == nil || s.HealthCheck.Disable) && !stays
}

// unable says why a service cannot be a container.
func (im *importer) unable(s *service) string {
	if s.Image != "" {
		return ""
	}
	if s.Provider != nil {
		return "it is run by the provider " + s.Provider.Type + ", not as a container"
	}
	if s.Build == nil {
		return "it has neither image nor build"
	}
	return im.unbuildable(s.Build)
}

// unbuildable says why an image cannot be built here; "" where it can.
func (im *importer) unbuildable(b *types.BuildConfig) string {
	if b.Context == "" && b.DockerfileInline != "" {
		return ""
	}
	if strings.Contains(b.Context, "://") || strings.HasPrefix(b.Context, "git@") {
		return "its build context " + b.Context + " is not a folder"
	}
	if info, err := os.Stat(b.Context); err != nil || !info.IsDir() {
		return "its build context " + im.shorten(b.Context) + " is not a folder that is there"
	}
	if b.DockerfileInline != "" {
		return ""
	}
	name := b.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(b.Context, name)
	}
	if rel, err := filepath.Rel(b.Context, name); err != nil || !filepath.IsLocal(rel) {
		return "its Dockerfile " + im.shorten(name) + " is outside the build context"
	}
	if info, err := os.Stat(name); err != nil || info.IsDir() {
		return "its Dockerfile " + im.shorten(name) + " is not there"
	}
	return ""
}

// depend carries depends_on over, or notes what of it cannot be.
func (im *importer) depend(s *service, name string, d types.ServiceDependency) {
	on := im.byName[name]
	what := "depends_on " + name
	switch {
	case on == nil:
		s.notes = append(s.notes, mark+what+": there is no such service")
		return
	case on.unable != "":
		s.notes = append(s.notes, mark+what+": "+name+" is not carried over, as "+on.unable)
		return
	case !upWith(s, on):
		s.notes = append(s.notes, mark+what+": "+name+" is up only with a profile")
		return
	case im.reaches(name, s.Name):
		s.notes = append(s.notes, mark+what+": they would wait for each other")
		return
	}
	im.edges[s.Name][name] = true
	s.after = append(s.after, on.kind+"."+on.name)
	switch d.Condition {
	case types.ServiceConditionCompletedSuccessfully:
		if on.kind == "job" {
			break
		}
		s.notes = append(s.notes, mark+what+" until it completed: here it waits only until "+on.name+" is ready, which without a ready block is when it runs")
	case types.ServiceConditionStarted, "":
		if on.HealthCheck != nil && len(on.HealthCheck.Test) > 0 && !on.HealthCheck.Disable {
			s.notes = append(s.notes, mark+what+" waited only until it was started: here it waits until it is ready")
		}
	}
	if d.Restart {
		s.notes = append(s.notes, mark+what+", restart: true: here a dependent is restarted only where what it received changed")
	}
	if !d.Required {
		s.notes = append(s.notes, mark+what+", required: false: here it must be ready")
	}
}

// reaches reports whether from waits for to, at once or through others.
func (im *importer) reaches(from, to string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(at string) bool {
		if at == to {
			return true
		}
		if seen[at] {
			return false
		}
		seen[at] = true
		for next := range im.edges[at] {
			if walk(next) {
				return true
			}
		}
		return false
	}
	return walk(from)
}

// shorten gives a path as the spec names it: from its own folder where that is shorter.
func (im *importer) shorten(path string) string {
	if path == "" || !filepath.IsAbs(path) {
		return path
	}
	rel, err := filepath.Rel(im.dir, path)
	if err != nil || strings.Count(rel, "..") > 4 || !within(path, im.root) && !within(path, im.dir) {
		return path
	}
	rel = filepath.ToSlash(rel)
	if rel == "." || strings.HasPrefix(rel, "../") || rel == ".." {
		return rel
	}
	return "./" + rel
}

func within(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && (filepath.IsLocal(rel) || strings.Count(rel, "..") <= 2)
}

// port gives the tcp port block with a number, made where there is none.
func (s *service) port(guest uint32, why string) *port {
	for _, p := range s.ports {
		if p.guest == guest && p.protocol != "udp" {
			return p
		}
	}
	p := &port{guest: guest, why: why}
	p.name, p.scheme = portName(guest)
	s.addPort(p)
	return p
}

// addPort declares a port under a name of its own.
func (s *service) addPort(p *port) {
	name := p.name
	for n := 0; s.hasPort(p.name); n++ {
		p.name = fmt.Sprintf("%s-%d", name, p.guest)
		if n > 0 {
			p.name += "-" + strconv.Itoa(n)
		}
	}
	s.ports = append(s.ports, p)
}

func (s *service) hasPort(name string) bool {
	for _, p := range s.ports {
		if p.name == name {
			return true
		}
	}
	return false
}

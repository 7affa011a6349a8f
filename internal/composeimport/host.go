package composeimport

import (
	"slices"
	"strconv"

	"github.com/compose-spec/compose-go/v2/types"
)

// privileges writes what a container may do, and what it gets of the engine's host.
func (im *importer) privileges(w *writer, s *service) {
	if s.Privileged {
		w.attr("privileged", "true")
	}
	if s.ReadOnly {
		w.attr("read_only", "true")
	}
	if s.ShmSize > 0 {
		w.attr("shm_size", size(int64(s.ShmSize)))
	}
	if s.Hostname != "" {
		w.attr("hostname", im.text(s.Hostname, shows, "services", s.Name, "hostname").hcl())
	}
	s.Privileged, s.ReadOnly, s.ShmSize, s.Hostname = false, false, 0, ""
	for _, a := range []struct {
		name  string
		items []string
	}{{"cap_add", s.CapAdd}, {"cap_drop", s.CapDrop}, {"security_opt", s.SecurityOpt}, {"group_add", s.GroupAdd}, {"dns", s.DNS}, {"devices", devices(s.Devices)}} {
		if len(a.items) > 0 {
			w.attr(a.name, list(literals(a.items)))
		}
	}
	s.CapAdd, s.CapDrop, s.SecurityOpt, s.GroupAdd, s.DNS, s.Devices = nil, nil, nil, nil, nil, nil
	if len(s.Sysctls) > 0 {
		values := map[string]text{}
		for k, v := range s.Sysctls {
			values[k] = literal(v)
		}
		w.object("sysctls", values)
		s.Sysctls = nil
	}
	if len(s.Ulimits) > 0 {
		values := map[string]text{}
		for k, u := range s.Ulimits {
			values[k] = literal(strconv.Itoa(u.Soft) + ":" + strconv.Itoa(u.Hard))
			if u.Single != 0 {
				values[k] = literal(strconv.Itoa(u.Single))
			}
		}
		w.object("ulimits", values)
		s.Ulimits = nil
	}
	im.gpus(w, s)
}

func devices(all []types.DeviceMapping) (out []string) {
	for _, d := range all {
		one := d.Source
		usual := d.Permissions == "" || d.Permissions == "rwm"
		if d.Target != "" && d.Target != d.Source || !usual {
			one += ":" + d.Target
		}
		if !usual {
			one += ":" + d.Permissions
		}
		out = append(out, one)
	}
	return out
}

// gpus takes over a request for GPUs that only says how many; deploy has them among its reservations.
func (im *importer) gpus(w *writer, s *service) {
	if n, ok := gpuCount(s.Gpus); ok {
		w.attr("gpus", quote(n))
		s.Gpus = nil
		return
	}
	if d := s.Deploy; d != nil && d.Resources.Reservations != nil {
		if n, ok := gpuCount(d.Resources.Reservations.Devices); ok {
			w.attr("gpus", quote(n))
			d.Resources.Reservations.Devices = nil
			if isEmpty(d.Resources.Reservations) {
				d.Resources.Reservations = nil
			}
		}
	}
}

func gpuCount(all []types.DeviceRequest) (string, bool) {
	if len(all) != 1 {
		return "", false
	}
	r := all[0]
	for _, c := range r.Capabilities {
		if c != "gpu" {
			return "", false
		}
	}
	if len(r.IDs) > 0 || len(r.Options) > 0 || r.Driver != "" && r.Driver != "nvidia" {
		return "", false
	}
	if r.Count <= 0 {
		return "all", true
	}
	return strconv.Itoa(int(r.Count)), true
}

// pull writes when the registry is asked for the image.
func (im *importer) pull(w *writer, s *service, built bool) {
	policy := map[string]string{"always": "always", "never": "never", "missing": "missing", "if_not_present": "missing"}[s.PullPolicy]
	if policy != "" && !built {
		w.attr("pull", quote(policy))
		s.PullPolicy = ""
	}
}

// logging writes where the engine puts what the container prints.
func (im *importer) logging(w *writer, s *service) {
	l := s.Logging
	if l == nil || l.Driver == "" && len(l.Options) == 0 {
		return
	}
	w.block("logging", func(w *writer) {
		if l.Driver != "" {
			w.attr("driver", quote(l.Driver))
		}
		if len(l.Options) > 0 {
			values := map[string]text{}
			for k, v := range l.Options {
				values[k] = literal(v)
			}
			w.object("options", values)
		}
	})
	s.Logging = nil
}

// profiles writes when the container is up.
func (im *importer) profiles(w *writer, s *service) {
	if len(s.Profiles) == 0 {
		return
	}
	names := make([]string, len(s.Profiles))
	for i, p := range s.Profiles {
		if names[i] = identifier(p); names[i] != p {
			w.left("profile " + p + " is " + names[i] + " here")
		}
	}
	w.attr("profiles", list(literals(names)))
	s.Profiles = nil
}

// upWith reports whether other is up whenever s is.
func upWith(s, other *service) bool {
	if len(other.active) == 0 {
		return true
	}
	if len(s.active) == 0 {
		return false
	}
	return !slices.ContainsFunc(s.active, func(p string) bool { return !slices.Contains(other.active, p) })
}

// cannot says why nothing of a service can be referred to by another; "" where it can.
func cannot(from, to *service) string {
	switch {
	case to.unable != "":
		return to.Name + " is not carried over, as " + to.unable
	case to.kind == "job":
		return to.Name + " is a job, which has no ports"
	case !upWith(from, to):
		return to.Name + " is up only with a profile, so it cannot be referred to"
	}
	return ""
}

package topology

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

// hashContainer fills a container's hashes and the parts that a plan names. A part is a value that a
// person may see, or a short hash of a long or secret one; whole values go into the identity.
func hashContainer(n *providers.Node, c *envspec.Container, buildID func(*envspec.Container) (string, error)) error {
	whole := map[string]string{}
	secrets := map[string]bool{}
	set := func(name string, v any) {
		var text string
		switch v := v.(type) {
		case secret.Text:
			if text = v.Reveal(); v.Sensitive {
				secrets[name] = true
			}
		case string:
			text = v
		case bool:
			text = strconv.FormatBool(v)
		default:
			text = fmt.Sprint(v)
		}
		if text != "" && text != "0" && text != "0s" && text != "[]" && text != "false" {
			whole[name] = text
		}
	}
	list := func(name string, items []string) {
		if items != nil {
			set(name, mustJSON(items))
		}
	}
	set("image", c.Image)
	set("image digest", digest(c.Pinned))
	if c.Build != nil {
		id, err := buildID(c)
		if err != nil {
			return err
		}
		set("build", id)
		for ref, pin := range c.Build.From {
			set("digest of "+ref, digest(pin))
		}
	}
	list("command", c.Command)
	list("entrypoint", c.Entrypoint)
	list("tmpfs", c.Tmpfs)
	list("cap_add", c.CapAdd)
	list("aliases", c.Aliases)
	for k, v := range c.Env {
		set("env."+k, v)
	}
	for k, v := range c.ExtraHosts {
		set("extra_hosts."+k, v)
	}
	for k, v := range c.Labels {
		set("labels."+k, v)
	}
	for _, p := range c.Ports {
		set("port."+p.Name, fmt.Sprintf("%d on %d/%s", p.Guest, p.Host, p.Protocol))
	}
	for _, v := range c.Volumes {
		from := strconv.Quote(v.Source)
		if !v.Shared.IsHost() {
			from = strings.TrimSpace(v.Shared.String() + " " + v.External)
		}
		set("volume."+v.Name, fmt.Sprintf("%s from %s, read only %t", v.Target, from, v.ReadOnly))
	}
	mutable := map[string]string{}
	for _, f := range c.Files {
		if f.Mutable {
			mutable[f.Path] = f.Content.Reveal()
			continue
		}
		set("file."+f.Path, secret.Text{Value: f.Content.Reveal(), Sensitive: true})
		set("file."+f.Path+".mode", strconv.FormatInt(f.Mode, 8))
		set("file."+f.Path+".owner", fmt.Sprintf("%d:%d", f.UID, f.GID))
	}
	set("user", c.User)
	set("working_dir", c.WorkingDir)
	set("platform", c.Platform)
	set("restart", c.Restart)
	set("memory", c.Memory)
	set("cpus", c.CPUs)
	set("stop_signal", c.StopSignal)
	set("stop_grace", c.StopGrace)
	set("init", c.Init)
	set("privileged", c.Privileged)
	hashIsolation(set, list, c)
	hashEgress(set, list, c)

	n.Identity = Hash(whole)
	if len(mutable) > 0 {
		n.Mutable = Hash(mutable)
	}
	n.Parts = make(map[string]string, len(whole))
	for name, text := range whole {
		if strings.HasPrefix(text, "sha256:") && len(text) == 71 && !secrets[name] {
			text = text[:19] // as much as tells two apart
		} else if secrets[name] || len(text) > 48 {
			text = "sha256:" + Hash(map[string]string{name: text})[:12]
		}
		n.Parts[name] = text
	}
	return nil
}

// hashIsolation covers what a container may do and have. When its image is pulled makes it no other.
func hashIsolation(set func(string, any), list func(string, []string), c *envspec.Container) {
	set("read_only", c.ReadOnly)
	set("hostname", c.Hostname)
	list("dns", c.DNS)
	set("shm_size", c.ShmSize)
	list("group_add", c.GroupAdd)
	list("cap_drop", c.CapDrop)
	list("security_opt", c.SecurityOpt)
	set("gpus", c.GPUs)
	for _, u := range c.Ulimits {
		set("ulimits."+u.Name, fmt.Sprintf("%d:%d", u.Soft, u.Hard))
	}
	for k, v := range c.Sysctls {
		set("sysctls."+k, "="+v) // as 0 is a value here
	}
	for _, d := range c.Devices {
		set("devices."+d.Container, d.Host+":"+d.Permissions)
	}
	if c.Logging != nil {
		set("logging.driver", c.Logging.Driver)
		for k, v := range c.Logging.Options {
			set("logging."+k, v)
		}
	}
}

// hashEgress covers how it gets out, but for the names of wires: a new neighbour makes it no other.
func hashEgress(set func(string, any), list func(string, []string), c *envspec.Container) {
	s := c.Egress
	if s == nil {
		return
	}
	if s.CA != "" {
		set("network.ca", "sha256:"+Hash(map[string]string{"ca": s.CA}))
	}
	if len(s.Proxies) == 0 {
		return
	}
	for name, v := range s.Proxies {
		set("network."+strings.ToLower(name), v)
	}
	list("network.no_proxy", s.NoProxy)
}

// digest gives what a pinned reference ends with: its digest, or the image's id that it is.
func digest(pinned string) string { return pinned[strings.LastIndexByte(pinned, '@')+1:] }

// HashCarried is the Node.Mutable of a container that carries these contents, by path.
func HashCarried(carried map[string][]byte) string {
	m := make(map[string]string, len(carried))
	for path, content := range carried {
		m[path] = string(content)
	}
	return Hash(m)
}

// Hash is the lower-case hex SHA-256 of a map in the order of its keys.
func Hash(m map[string]string) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	h := sha256.New()
	var b []byte
	for _, k := range keys {
		b = strconv.AppendInt(b[:0], int64(len(k)), 10)
		b = append(append(append(b, ':'), k...), '=')
		b = strconv.AppendInt(b, int64(len(m[k])), 10)
		b = append(append(append(b, ':'), m[k]...), ';')
		h.Write(b) // cannot fail
	}
	return hex.EncodeToString(h.Sum(nil))
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a []string cannot fail
	}
	return string(b)
}

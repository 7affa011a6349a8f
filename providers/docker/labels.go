package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/filters"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/providers"
)

// LabelPrefix starts every label that is envctl's own.
const LabelPrefix = "dev.envctl."

// MetaPrefix starts the labels of a container's body that come back as Observed.Meta.
const MetaPrefix = LabelPrefix + "meta."

const (
	labelEnvironment = LabelPrefix + "environment"
	labelInstance    = LabelPrefix + "instance"
	labelAddress     = LabelPrefix + "address"
	labelIdentity    = LabelPrefix + "identity"
	labelCarries     = LabelPrefix + "carries"
	labelAfter       = LabelPrefix + "after"
	labelPorts       = LabelPrefix + "ports"
	labelSpec        = LabelPrefix + "spec"
	labelVersion     = LabelPrefix + "version"
	labelParts       = LabelPrefix + "parts"
	labelVolume      = LabelPrefix + "volume"
	labelShared      = LabelPrefix + "shared"
)

// maxPart is how long a part's value may be in a label.
const maxPart = 64

var notName = lazyregexp.New(`[^a-z0-9_.-]+`)

// slug gives the form in which a name may stand in the names of Docker's objects.
func slug(s string) string {
	return strings.Trim(notName.ReplaceAllString(strings.ToLower(s), "-"), "-_.")
}

func networkName(i providers.Instance) string { return slug(i.Environment) + "-" + slug(i.ID) }

// containerName is unique within an instance: a gateway shares its DNS name with nothing else that is a container.
func containerName(i providers.Instance, a addr.Addr) string { return networkName(i) + "-" + a.DNS() }

// volumeName is the engine's name of a container's own volume, or of one that containers share. It separates the volume
// with a dot, which no DNS name holds, so that volume "b-c" of "a" and volume "c" of "a-b" differ.
func volumeName(i providers.Instance, a addr.Addr, volume string) string {
	if a.Kind == addr.Volume {
		return networkName(i) + "." + slug(strings.Trim(a.Template+"."+a.Name, "."))
	}
	return containerName(i, a) + "." + slug(volume)
}

// instanceLabels say whose something is.
func instanceLabels(i providers.Instance) map[string]string {
	return map[string]string{labelEnvironment: i.Environment, labelInstance: i.ID}
}

// instanceFilter finds what instanceLabels marked.
func instanceFilter(i providers.Instance) filters.Args {
	return filters.NewArgs(
		filters.Arg("label", labelEnvironment+"="+i.Environment),
		filters.Arg("label", labelInstance+"="+i.ID))
}

// nodeLabels are all that a later Observe knows of a node.
func (p *Provider) nodeLabels(c providers.Change) (map[string]string, error) {
	l := instanceLabels(c.Instance)
	l[labelAddress] = c.Node.Addr.String()
	l[labelIdentity] = c.Node.Identity
	l[labelSpec] = c.Instance.SpecDir
	l[labelVersion] = p.version
	if len(c.Node.After) > 0 {
		after := make([]string, len(c.Node.After))
		for i, a := range c.Node.After {
			after[i] = a.String()
		}
		l[labelAfter] = strings.Join(after, ",")
	}
	if len(c.Node.Parts) > 0 {
		parts := maps.Clone(c.Node.Parts)
		for k, v := range parts {
			if len(v) > maxPart {
				sum := sha256.Sum256([]byte(v))
				parts[k] = "sha256:" + hex.EncodeToString(sum[:])[:12]
			}
		}
		text, err := json.Marshal(parts)
		if err != nil {
			return nil, err
		}
		l[labelParts] = string(text)
	}
	return l, nil
}

// containerLabels adds to nodeLabels what only a container has. The spec's own labels never displace ours.
func (p *Provider) containerLabels(c providers.Change, body *envspec.Container) (map[string]string, error) {
	ours, err := p.nodeLabels(c)
	if err != nil {
		return nil, err
	}
	var ports []string
	for _, port := range body.Ports {
		if port.Host > 0 {
			ports = append(ports, fmt.Sprintf("%s=%d", port.Name, port.Host))
		}
	}
	if len(ports) > 0 {
		ours[labelPorts] = strings.Join(ports, ",")
	}
	var carries []string
	for _, f := range body.Files {
		if f.Mutable {
			carries = append(carries, f.Path)
		}
	}
	if len(carries) > 0 {
		ours[labelCarries] = strings.Join(carries, "\n")
	}
	labels := map[string]string{}
	for k, v := range body.Labels {
		if !strings.HasPrefix(k, LabelPrefix) || strings.HasPrefix(k, MetaPrefix) {
			labels[k] = v
		}
	}
	maps.Copy(labels, ours)
	return labels, nil
}

// fromLabels reads back what nodeLabels wrote. It reports false for what is not one of our nodes, such
// as a container that someone runs from an image of ours.
func fromLabels(l map[string]string) (providers.Observed, bool) {
	a, err := addr.Parse(l[labelAddress])
	if err != nil || a.IsHost() || l[labelInstance] == "" {
		return providers.Observed{}, false
	}
	o := providers.Observed{
		Addr: a, Identity: l[labelIdentity],
		Instance: providers.Instance{Environment: l[labelEnvironment], ID: l[labelInstance], SpecDir: l[labelSpec]},
	}
	if parts := l[labelParts]; parts != "" {
		// A label that cannot be read leaves the parts out: the identity still tells what must change.
		_ = json.Unmarshal([]byte(parts), &o.Parts)
	}
	for _, text := range splitAddresses(l[labelAfter]) {
		if a, err := addr.Parse(text); err == nil {
			o.After = append(o.After, a)
		}
	}
	for text := range strings.SplitSeq(l[labelPorts], ",") {
		name, number, _ := strings.Cut(text, "=")
		if n, err := strconv.Atoi(number); err == nil {
			if o.Ports == nil {
				o.Ports = map[string]int{}
			}
			o.Ports[name] = n
		}
	}
	for path := range strings.SplitSeq(l[labelCarries], "\n") {
		if path != "" {
			if o.Carried == nil {
				o.Carried = map[string][]byte{}
			}
			o.Carried[path] = nil // read by observe
		}
	}
	for _, k := range slices.Sorted(maps.Keys(l)) {
		if name, ok := strings.CutPrefix(k, MetaPrefix); ok {
			if o.Meta == nil {
				o.Meta = map[string]string{}
			}
			o.Meta[name] = l[k]
		}
	}
	return o, true
}

// splitAddresses splits at commas outside quotes: a for_each key may hold one.
func splitAddresses(s string) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(s, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

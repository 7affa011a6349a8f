package composeimport

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// mounts writes volumes and tmpfs.
func (im *importer) mounts(attrs, blocks *writer, s *service) {
	tmpfs := literals(s.Tmpfs)
	used := map[string]bool{}
	for _, v := range s.Volumes {
		switch v.Type {
		case types.VolumeTypeTmpfs:
			t := v.Target
			if o := v.Tmpfs; o != nil {
				var options []string
				if o.Size > 0 {
					options = append(options, fmt.Sprintf("size=%d", o.Size))
				}
				if o.Mode > 0 {
					options = append(options, fmt.Sprintf("mode=%o", o.Mode))
				}
				if len(options) > 0 {
					t += ":" + strings.Join(options, ",")
				}
				o.Size, o.Mode = 0, 0
			}
			tmpfs = append(tmpfs, literal(t))
			v.Type, v.Target = "", ""
			attrs.leftover("tmpfs "+t, v)
		case types.VolumeTypeVolume, types.VolumeTypeBind:
			im.volume(blocks, v, used)
		default:
			blocks.leftover("a mount of the type "+v.Type, v)
		}
	}
	if len(tmpfs) > 0 {
		attrs.attr("tmpfs", list(tmpfs))
	}
	s.Tmpfs, s.Volumes = nil, nil
}

// share finds the volumes that need a block of their own: several containers mount them, or they are there already.
func (im *importer) share() {
	taken := map[string]bool{}
	for _, source := range sorted(im.mounted) {
		mounts := im.mounted[source]
		several := slices.ContainsFunc(mounts, func(service string) bool { return service != mounts[0] })
		if !several && !bool(im.project.Volumes[source].External) {
			continue
		}
		name := identifier(source)
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s-%d", identifier(source), n)
		}
		taken[strings.ToLower(name)] = true
		im.shared[source] = name
	}
}

// sharedVolume writes a volume block at the top.
func (im *importer) sharedVolume(w *writer, name string, v *types.VolumeConfig) {
	w.block("volume "+quote(name), func(w *writer) {
		if v.External {
			w.attr("external", quote(v.Name))
			v.External, v.Name = false, ""
		}
	})
}

// volume writes one volume block.
func (im *importer) volume(w *writer, v types.ServiceVolumeConfig, used map[string]bool) {
	what := "volume " + im.shorten(v.Source) + ":" + v.Target
	if !path.IsAbs(v.Target) {
		w.left(what + ": the target is not an absolute path")
		return
	}
	label := v.Source
	if v.Type == types.VolumeTypeBind {
		if !exists(v.Source) {
			w.left(what + ": " + im.shorten(v.Source) + " is not there to mount; Compose would make an empty folder")
			return
		}
		label = path.Base(v.Target)
	}
	if label == "" {
		label = path.Base(v.Target)
	}
	label = volumeLabel(label)
	for n, first := 2, label; used[label]; n++ {
		label = fmt.Sprintf("%s-%d", first, n)
	}
	used[label] = true
	w.block("volume "+quote(label), func(w *writer) {
		if v.Type == types.VolumeTypeBind {
			w.attr("source", quote(im.shorten(v.Source)))
		} else if name := im.shared[v.Source]; name != "" {
			w.attr("source", "volume."+name)
		}
		w.attr("target", quote(v.Target))
		if v.ReadOnly {
			w.attr("read_only", "true")
		}
		v.Type, v.Source, v.Target, v.ReadOnly = "", "", "", false
		if v.Bind != nil && v.Bind.SELinux == "" && v.Bind.Propagation == "" && v.Bind.Recursive == "" {
			v.Bind = nil
		}
		if v.Consistency == "cached" || v.Consistency == "delegated" || v.Consistency == "consistent" {
			v.Consistency = "" // Docker itself has no use for it any more
		}
		w.leftovers("", v, nil)
	})
}

// volumeLabel makes a name that a volume can have.
func volumeLabel(s string) string {
	out := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, s)
	if out = strings.TrimLeft(out, "_.-"); out == "" {
		return "data"
	}
	return out
}

package docker

import (
	"path"
	"slices"
	"strings"

	"github.com/envctl/envctl/envspec"
)

// fileFolders lists the folders that get a volume of the container's own because a file goes into them and could
// not be there otherwise: the container's file system is read-only, or a tmpfs would hide what was copied.
// Such a volume begins with what the image has there.
func fileFolders(body *envspec.Container) []string {
	var folders []string
	for _, f := range body.Files {
		dir := path.Dir(path.Clean("/" + f.Path))
		volume, tmpfs := "", ""
		for _, v := range body.Volumes {
			volume = deeper(volume, v.Target, dir)
		}
		for _, t := range body.Tmpfs {
			target, _, _ := strings.Cut(t, ":")
			tmpfs = deeper(tmpfs, target, dir)
		}
		if (body.ReadOnly && volume == "" || len(tmpfs) > len(volume)) && dir != "/" && dir != tmpfs {
			folders = append(folders, dir)
		}
	}
	slices.Sort(folders)
	var outermost []string
	for _, dir := range folders {
		if !slices.ContainsFunc(outermost, func(o string) bool { return within(dir, o) }) {
			outermost = append(outermost, dir)
		}
	}
	return outermost
}

// copyRoot gives the folder from which a file is copied in: of a read-only container only a volume takes any.
func copyRoot(body *envspec.Container, file string) string {
	if !body.ReadOnly {
		return "/"
	}
	root := ""
	for _, v := range body.Volumes {
		root = deeper(root, v.Target, path.Clean("/"+file))
	}
	for _, dir := range fileFolders(body) {
		root = deeper(root, dir, path.Clean("/"+file))
	}
	if root == "" {
		return "/"
	}
	return root
}

// deeper gives candidate where it holds name and is further down than best.
func deeper(best, candidate, name string) string {
	if candidate = path.Clean("/" + candidate); within(name, candidate) && len(candidate) > len(best) {
		return candidate
	}
	return best
}

// within reports whether name is dir or something in it; both are clean.
func within(name, dir string) bool {
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}

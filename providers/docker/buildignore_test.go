package docker

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/providers"
)

// listing shows all of a folder of an image: kind, mode, path and where a link leads.
var listing = []string{"find", "/context", "-printf", `%y %m %P %l\n`}

// awkward is a context with what contexts trip over.
func awkward(t *testing.T) string {
	t.Helper()
	dir := folder(t, map[string]string{
		"Dockerfile": "FROM " + base + "\nCOPY . /context/\n", "other/App.dockerfile": "FROM " + base + "\nCOPY . /context/\n",
		"other/App.dockerfile.dockerignore": "*\n!src\nsrc/b\n",
		"a.log":                             "", "keep/a.log": "", "keep/deep/er/b.log": "", "deep/er/c.log": "", "deep/er/c.txt": "",
		"src/a": "", "src/b/c": "", "src/b/secret/d": "", "node_modules/x/index.js": "", "node_modules/keep/me.js": "", "node_modules/keep/not.js": "",
		"rooted.txt": "", "sub/rooted.txt": "", "sub/x/tmp1": "", "sub/x/tmp12": "", ".hidden/.file": "", "with space/ünï.txt": "", "[odd]/*": "",
		"#hash": "", "!bang": "", "empty/in": "", "modes/private": "", "modes/program": "", "modes/readonly": "",
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{
		"modes/private": 0o600, "modes/program": 0o755, "modes/readonly": 0o444, "modes": 0o750, "src/b": 0o700,
	} {
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link": "rooted.txt", "up": "../elsewhere", "dangling": "nowhere", "absolute": "/etc/hostname", "tofolder": "src/b"} {
		if err := os.Symlink(to, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(at("empty/in")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(at("rooted.txt"), at("hardlink")); err != nil {
		t.Fatal(err)
	}
	command(t, "", "mkfifo", at("pipe"))
	return dir
}

// TestIgnoredAsDockerIgnores builds from one context under many a .dockerignore, with both builders and with `docker
// build`: the same has to come to be in the image.
func TestIgnoredAsDockerIgnores(t *testing.T) {
	t.Parallel()
	dir := awkward(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	worlds := map[string]*world{"BuildKit": worldOn(t, builderEngine(t, "1")), "classic": worldOn(t, builderEngine(t, "0"))}
	for name, ignore := range map[string]string{
		"nothing":  "",
		"negation": "\ufeff# comment\r\n**/*.log\r\n!keep/**/*.log\n\n  node_modules  \n!node_modules/keep/me.js\n/rooted.txt\nsub/*/tmp?\n!pipe\n",
		"except":   "*\n!src\n!modes/\nsrc/b\n!src/b/secret\n!deep/er/*.txt\n",
		"folders":  "**/er\nmodes/../keep\n./.hidden\n[[]odd]\nwith*\nDockerfile\n.dockerignore\n**/App*\nlink\n",
	} {
		t.Run(name, func(t *testing.T) {
			write(t, filepath.Join(dir, ".dockerignore"), ignore)
			want := dockerBuilds(t, dir)
			for builder, w := range worlds {
				if diff := cmp.Diff(want, sorted(w.builds(name, &envspec.Build{Context: link}, listing...))); diff != "" {
					t.Errorf("%s (-docker build +ours):\n%s", builder, diff)
				}
			}
		})
	}
	t.Run("the Dockerfile's own", func(t *testing.T) {
		write(t, filepath.Join(dir, ".dockerignore"), "src\n")
		for builder, w := range worlds {
			got := sorted(w.builds("own", &envspec.Build{Context: dir, Dockerfile: "other/App.dockerfile"}, "find", "/context", "-type", "f"))
			if diff := cmp.Diff("/context/src/a", got); diff != "" {
				t.Errorf("%s: %s", builder, diff)
			}
		}
	})
}

// builds builds the image of a container and gives what a command in it prints.
func (w *world) builds(name string, b *envspec.Build, command ...string) string {
	w.t.Helper()
	c := sleeper(name)
	c.Image, c.Build = "", b
	w.must(w.up(providers.Create, node(c, "1")))
	return w.run(c.Addr, command...)
}

// dockerBuilds gives what is in the image of `docker build`.
func dockerBuilds(t *testing.T, dir string) string {
	t.Helper()
	id := command(t, "DOCKER_BUILDKIT=0", "docker", "build", "--quiet", dir)
	defer command(t, "", "docker", "image", "rm", "--force", id)
	all := sorted(command(t, "", "docker", append([]string{"run", "--rm", id}, listing...)...))
	return strings.Replace(all, "\np 644 pipe ", "", 1) // no program of an image would have the other end of it
}

func command(t *testing.T, env, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return strings.TrimSpace(string(out))
}

func sorted(lines string) string {
	list := strings.Split(lines, "\n")
	slices.Sort(list)
	return strings.Join(list, "\n")
}

func BenchmarkBuildIdentity(b *testing.B) {
	dir := b.TempDir()
	for i := range 1000 {
		path := filepath.Join(dir, fmt.Sprintf("d%d/e%d/f%d", i%10, i%100, i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Repeat(fmt.Sprint(i), 4000)), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, ignore := range []string{"", "**/*.log\n!keep/**/*.log\nnode_modules\n"} {
		b.Run(fmt.Sprintf("%d bytes of .dockerignore", len(ignore)), func(b *testing.B) {
			if err := os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte(ignore), 0o644); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := BuildIdentity(&envspec.Build{Context: dir, Inline: "FROM scratch"}, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

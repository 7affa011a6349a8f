package composeimport

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/envspec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// host is the environment that the tests import and load in.
func host(name string) (string, bool) {
	v, ok := map[string]string{"LEVEL": "debug", "SIGNING_KEY": "of the host"}[name]
	return v, ok
}

// cases are the folders of testdata, each with the Compose files that it holds.
func cases(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	files, err := filepath.Glob("testdata/*/compose*.yaml")
	if err != nil || len(files) < 9 {
		t.Fatalf("only %d Compose files in testdata: %v", len(files), err)
	}
	for _, f := range files {
		dir := filepath.Base(filepath.Dir(f))
		if filepath.Base(f) == "compose.yaml" {
			all[dir] = append([]string{f}, all[dir]...)
		} else {
			all[dir] = append(all[dir], f)
		}
	}
	return all
}

// Every file in testdata becomes the spec beside it, and a spec without a mistake, with all profiles too.
func TestImport(t *testing.T) {
	for name, files := range cases(t) {
		t.Run(name, func(t *testing.T) {
			dir, err := filepath.Abs(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			r, err := Import(context.Background(), Options{Files: files, Dir: dir, Environ: host})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(dir, "golden.hcl"), r.Spec)
			loads(t, dir, r)
			if r.Containers == 0 {
				t.Error("no service became a container")
			}
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make it with -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s, where it is wrong write it anew with -update:\n%s", path, diff)
	}
}

// loads loads a spec as if it lay in a folder.
func loads(t *testing.T, dir string, r *Result) {
	t.Helper()
	tmp := t.TempDir()
	if err := os.CopyFS(tmp, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"env" + envspec.Suffix: r.Spec, "secrets.auto.vars.hcl": r.Secrets} {
		if err := os.WriteFile(filepath.Join(tmp, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, profiles := range [][]string{nil, {envspec.AllProfiles}} {
		if _, diags := envspec.Load(envspec.LoadOptions{Dir: tmp, Environ: host, Profiles: profiles}); diags.HasErrors() {
			t.Errorf("with profiles %v: %v", profiles, diags.Errs())
		}
	}
}

// What was not carried over is listed whole, with the line that its comment is on.
func TestLeft(t *testing.T) {
	r, err := Import(context.Background(), Options{Files: []string{"testdata/mesh/compose.yaml"}, Dir: "testdata/mesh", Environ: host})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(r.Spec), "\n")
	found := false
	for _, l := range r.Left {
		first, _, _ := strings.Cut(l.Text, " ")
		if !strings.Contains(lines[l.Line-1], mark+first) {
			t.Errorf("line %d is %q, and is to be about %q", l.Line, lines[l.Line-1], l.Text)
		}
		found = found || strings.HasPrefix(l.Text, "networks: {front: {aliases: [alias]") && strings.HasSuffix(l.Text, "under their own names)")
	}
	if !found {
		t.Errorf("the aliases of c are not in %v", r.Left)
	}
}

// A secret that .env or an env_file holds is in neither the spec nor the list.
func TestSecretsStayOutOfTheSpec(t *testing.T) {
	r, err := Import(context.Background(), Options{Files: []string{"testdata/envs/compose.yaml"}, Dir: "testdata/envs", Environ: host})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"from-dot-env", "in-env-file", "of the host"} {
		if strings.Contains(string(r.Spec), secret) {
			t.Errorf("the spec holds %q", secret)
		}
	}
	for _, line := range []string{`API_TOKEN = "from-dot-env"`, `DB_PASSWORD = "in-env-file"`} {
		if !strings.Contains(string(r.Secrets), line) {
			t.Errorf("the file of secrets lacks %s:\n%s", line, r.Secrets)
		}
	}
}

// An attribute that the package does not know is commented on, whatever it is.
func TestNothingIsDropped(t *testing.T) {
	dir := t.TempDir()
	for attribute, shown := range map[string]string{
		"annotations: {a: b}": "annotations: {a: b}", "cgroup_parent: x": "cgroup_parent: x", "ipc: host": "ipc: host",
		"mac_address: 02:42:ac:11:65:43": "mac_address: 02:42:ac:11:65:43", "oom_score_adj: 5": "oom_score_adj: 5",
		"pids_limit: 7": "pids_limit: 7", "runtime: runsc": "runtime: runsc", "userns_mode: host": "userns_mode: host",
		"blkio_config: {weight: 300}": "blkio_config: {weight: 300}", "use_api_socket: true": "use_api_socket: true",
		"x-mine: {deep: [1]}": "x-mine: {deep: [1]}", "attach: false": "attach: false", "mem_swappiness: 3": "mem_swappiness:",
		"volumes: [{type: npipe, source: a, target: /b}]": "npipe", "network_mode: none": "network_mode: none",
		"expose: [\"1-2000\"]": "expose 1-2000", "label_file: labels": "label_file",
	} {
		t.Run(attribute, func(t *testing.T) {
			file := filepath.Join(dir, "compose.yaml")
			if err := os.WriteFile(file, []byte("services:\n  a:\n    image: b\n    "+attribute+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := Import(context.Background(), Options{Files: []string{file}, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range r.Left {
				if strings.Contains(l.Text, shown) {
					return
				}
			}
			t.Errorf("%q is nowhere in %v", shown, r.Left)
		})
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "compose.yaml")
	if err := os.WriteFile(broken, []byte("services: {a: {imagine: b}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files []string
		says  string
	}{
		"no file":            {nil, "no Compose file"},
		"a file not there":   {[]string{filepath.Join(dir, "gone.yaml")}, "gone.yaml"},
		"not a Compose file": {[]string{broken}, "imagine"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Import(context.Background(), Options{Files: c.files, Dir: dir}); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, and is to name %q", err, c.says)
			}
		})
	}
}

package docker

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatToStartIsSaid(t *testing.T) {
	for host, want := range map[string]string{
		"unix:///Users/ana/.docker/run/docker.sock":                            "Docker Desktop",
		"unix:///home/ana/.docker/desktop/docker.sock":                         "Docker Desktop",
		"npipe:////./pipe/dockerDesktopLinuxEngine":                            "Docker Desktop",
		"unix:///Users/ana/.orbstack/run/docker.sock":                          "`orb start`",
		"unix:///Users/ana/.colima/docker.sock":                                "`colima start`",
		"unix:///Users/ana/.colima/default/docker.sock":                        "`colima start`",
		"unix:///Users/ana/.colima/arm-64/docker.sock":                         "`colima start arm-64`",
		"unix:///Users/ana/.config/colima/big/docker.sock":                     "`colima start big`",
		"unix:///Users/ana/.rd/docker.sock":                                    "Rancher Desktop",
		"unix:///Users/ana/.lima/docker/sock/docker.sock":                      "`limactl start docker`",
		"unix:///Users/ana/.local/share/containers/podman/machine/podman.sock": "`podman machine start`",
		"unix:///var/folders/x1/T/podman/podman-machine-default-api.sock":      "`podman machine start`",
		"unix:///run/podman/podman.sock":                                       "`systemctl start podman.socket`",
		"unix:///run/user/1000/podman/podman.sock":                             "`systemctl --user start podman.socket`",
		"unix:///run/user/1000/docker.sock":                                    "`systemctl --user start docker`",
		"unix:///var/run/docker.sock":                                          "Docker Desktop, OrbStack, Colima",
		"tcp://build.example:2376":                                             "VPN",
		"ssh://ana@build.example:2222":                                         "`ssh -p 2222 ana@build.example docker version`",
	} {
		if got := howToStart(host, "darwin"); !strings.Contains(got, want) {
			t.Errorf("%s: %s", host, got)
		}
	}
	if got := howToStart("unix:///var/run/docker.sock", "linux"); !strings.Contains(got, "systemctl start docker") {
		t.Error(got)
	}
}

func TestSSHIsCalledAsDockerCallsIt(t *testing.T) {
	for host, want := range map[string][]string{
		"ssh://box":                         {"-o", "ConnectTimeout=30", "-T", "--", "box", "docker", "system", "dial-stdio"},
		"ssh://ana@box:2222":                {"-o", "ConnectTimeout=30", "-T", "-l", "ana", "-p", "2222", "--", "box", "docker", "system", "dial-stdio"},
		"ssh://box/":                        {"-o", "ConnectTimeout=30", "-T", "--", "box", "docker", "system", "dial-stdio"},
		"ssh://box/run/user/1000/it's.sock": {"-o", "ConnectTimeout=30", "-T", "--", "box", "docker", `--host='unix:///run/user/1000/it'\''s.sock'`, "system", "dial-stdio"},
		"ssh://ana:secret@box":              nil,
		"ssh://":                            nil,
		"ssh://box?x=y":                     nil,
	} {
		u, err := url.Parse(host)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sshArgs(u)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%s: %v %s", host, err, diff)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
}

// What ssh says is the error, and not that a connection ended.
func TestWhatSSHSaysIsSaid(t *testing.T) {
	bin := t.TempDir()
	program := "#!/bin/sh\necho 'Warning: Permanently added a key.' >&2\necho 'ana@box: Permission denied (publickey).' >&2\nexit 255\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	p, err := New(Options{ConfigDir: t.TempDir(), Getenv: func(k string) string { return map[string]string{"DOCKER_HOST": "ssh://ana@box"}[k] }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	err = p.Ping(t.Context())
	if !errors.Is(err, ErrNoEngine) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"ssh://ana@box (from DOCKER_HOST)", "Permission denied (publickey)", "`ssh ana@box docker version`"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %q in %v", want, err)
		}
	}
}

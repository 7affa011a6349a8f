package docker

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/nettest"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

func TestAttributesReachTheContainer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := folder(t, map[string]string{"given.txt": "from the host"})
	c := &envspec.Container{
		Addr: named("full"), Image: base, Entrypoint: []string{"/bin/sh", "-c"}, Command: []string{"exec sleep 600"},
		Env: map[string]secret.Text{"B": secret.Plain("2"), "A": secret.Plain("1 = one")}, User: "1000:1001", WorkingDir: "/tmp",
		Platform: "linux/amd64", Restart: "unless-stopped", Memory: 64 << 20, CPUs: 0.5, CapAdd: []string{"SYS_PTRACE"},
		ExtraHosts: map[string]string{"elsewhere": "192.0.2.7"}, StopSignal: "SIGKILL", StopGrace: 1500 * time.Millisecond, Init: true,
		Tmpfs: []string{"/scratch:size=1m"}, Labels: map[string]string{"team": "blue"},
		Volumes: []envspec.Volume{{Name: "src", Target: "/src", Source: dir, ReadOnly: true}, {Name: "data", Target: "/data"}},
		Ports:   []envspec.Port{{Name: "web", Guest: 80, Host: nettest.FreePort(t), Protocol: "tcp"}, {Name: "inside", Guest: 81}},
	}
	w.must(w.up(providers.Create, node(c, "1")))
	got := w.run(c.Addr, "/bin/sh", "-c", `id -u; id -g; pwd; echo "$A,$B"; cat /src/given.txt; echo; getent hosts elsewhere; grep -c ' /scratch tmpfs' /proc/mounts; touch /src/x 2>&1 | grep -o Read-only; cat /proc/1/comm`)
	want := "1000\n1001\n/tmp\n1 = one,2\nfrom the host\n192.0.2.7       elsewhere\n1\nRead-only\ndocker-init"
	if got != want {
		t.Errorf("in the container:\n%s\nwant:\n%s", got, want)
	}
	is, err := w.p.api.ContainerInspect(w.ctx, containerName(w.instance, c.Addr))
	w.must(err)
	type facts struct {
		Memory, CPUs  int64
		Restart, Stop string
		Grace         int
		Caps          string
		HostIP        string
		Published     int
		Team          string
	}
	bindings := is.HostConfig.PortBindings
	if diff := cmp.Diff(facts{64 << 20, 5e8, "unless-stopped", "SIGKILL", 2, "SYS_PTRACE", "127.0.0.1", 1, "blue"}, facts{
		is.HostConfig.Memory, is.HostConfig.NanoCPUs, string(is.HostConfig.RestartPolicy.Name), is.Config.StopSignal, *is.Config.StopTimeout,
		strings.TrimPrefix(strings.Join(is.HostConfig.CapAdd, ","), "CAP_"), bindings["80/tcp"][0].HostIP, len(bindings), is.Config.Labels["team"],
	}); diff != "" {
		t.Error(diff)
	}
	volumes, err := w.p.Volumes(w.ctx, w.instance)
	w.must(err)
	if diff := cmp.Diff([]string{volumeName(w.instance, c.Addr, "data")}, volumes); diff != "" {
		t.Errorf("volumes: %s", diff)
	}

	missing := sleeper("missing")
	missing.Volumes = []envspec.Volume{{Name: "src", Target: "/src", Source: filepath.Join(dir, "no such folder")}}
	if err := w.up(providers.Create, node(missing, "1")); err == nil || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("a bind mount of nothing: %v", err)
	}
}

func TestIsolationReachesTheContainer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("isolated")
	c.Hostname, c.DNS, c.ReadOnly, c.ShmSize = "other.example", []string{"192.0.2.53"}, true, 8<<20
	c.Ulimits = []envspec.Ulimit{{Name: "nproc", Soft: 100, Hard: 200}}
	c.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	c.Devices = []envspec.Device{{Host: "/dev/null", Container: "/dev/nothing", Permissions: "rw"}}
	c.GroupAdd, c.CapDrop, c.SecurityOpt = []string{"4711"}, []string{"CHOWN"}, []string{"no-new-privileges"}
	c.Logging = &envspec.Logging{Driver: "json-file", Options: map[string]string{"max-size": "1m"}}
	w.must(w.up(providers.Create, node(c, "1")))
	got := w.run(c.Addr, "/bin/sh", "-c", `hostname; touch /x 2>&1 | grep -o Read-only; ulimit -Sp; ulimit -Hp
		cat /proc/sys/net/ipv4/ip_unprivileged_port_start; test -c /dev/nothing && echo device; id -G; grep -o 'size=8192k' /proc/mounts; grep NoNewPrivs /proc/self/status`)
	want := "other.example\nRead-only\n100\n200\n0\ndevice\n0 4711\nsize=8192k\nNoNewPrivs:\t1"
	if got != want {
		t.Errorf("in the container:\n%s\nwant:\n%s", got, want)
	}
	is, err := w.p.api.ContainerInspect(w.ctx, containerName(w.instance, c.Addr))
	w.must(err)
	if diff := cmp.Diff([]string{"192.0.2.53", "CHOWN", "json-file", "1m", "/dev/null:/dev/nothing:rw"}, []string{
		strings.Join(is.HostConfig.DNS, ","), strings.TrimPrefix(strings.Join(is.HostConfig.CapDrop, ","), "CAP_"),
		is.HostConfig.LogConfig.Type, is.HostConfig.LogConfig.Config["max-size"],
		is.HostConfig.Devices[0].PathOnHost + ":" + is.HostConfig.Devices[0].PathInContainer + ":" + is.HostConfig.Devices[0].CgroupPermissions,
	}); diff != "" {
		t.Error(diff)
	}

	// Made and not started: an engine that is itself in a container may not be able to.
	c = sleeper("privileged")
	c.Privileged = true
	id, err := w.p.create(w.ctx, w.change(providers.Create, node(c, "1")), c, w.sink)
	w.must(err)
	if is, err = w.p.api.ContainerInspect(w.ctx, id); err != nil || !is.HostConfig.Privileged {
		t.Errorf("not privileged: %v", err)
	}
}

// TestFilesWhereTheyWouldNotBe: a read-only container and one with a tmpfs have their files all the same.
func TestFilesWhereTheyWouldNotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := func(paths ...string) (all []envspec.File) {
		for _, path := range paths {
			all = append(all, envspec.File{Path: path, Content: secret.Text{Value: "in " + path, Sensitive: true}, UID: 33})
		}
		return all
	}
	const read = `for f in "$@"; do cat $f; echo " $(stat -c %u:%a $f)"; done; touch /opt/x 2>&1 | grep -c Read-only`
	for _, test := range []struct {
		name  string
		body  envspec.Container
		paths []string
		last  string
	}{
		{"read-only", envspec.Container{ReadOnly: true, Tmpfs: []string{"/run:size=1m"}, Volumes: []envspec.Volume{{Name: "data", Target: "/data"}}},
			[]string{"/run/secrets/a", "/run/secrets/deep/b", "/data/c", "/data/deep/er/d", "/etc/app/e"}, "1"},
		{"tmpfs", envspec.Container{Tmpfs: []string{"/run"}}, []string{"/run/secrets/a", "/etc/b"}, "0"},
	} {
		c := sleeper(test.name)
		c.ReadOnly, c.Tmpfs, c.Volumes, c.Files = test.body.ReadOnly, test.body.Tmpfs, test.body.Volumes, files(test.paths...)
		w.must(w.up(providers.Create, node(c, "1")))
		want := ""
		for _, path := range test.paths {
			want += "in " + path + " 33:400\n"
		}
		if got := w.run(c.Addr, append([]string{"/bin/sh", "-c", read + "; true", "sh"}, test.paths...)...); got != want+test.last {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

// TestGPUs holds what is asked of the engine, and what is said by one that has none.
func TestGPUs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("model")
	c.GPUs = 2
	_, host, _ := containerConfig(w.change(providers.Create, node(c, "1")), c, base, nil)
	if diff := cmp.Diff([]container.DeviceRequest{{Count: 2, Capabilities: [][]string{{"gpu"}}}}, host.DeviceRequests); diff != "" {
		t.Error(diff)
	}
	c.GPUs = envspec.AllGPUs
	if err := w.up(providers.Create, node(c, "1")); err != nil && !strings.Contains(err.Error(), "this engine offers no GPU") {
		t.Error(err)
	}
}

// TestReadyAsSeenCostsNothing holds that a plan with nothing to do asks the engine nothing more.
func TestReadyAsSeenCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	w.must(w.up(providers.Create, node(c, "1")))
	p, r := recorded(t, w)
	w.must(p.WaitReady(w.ctx, w.change(providers.None, node(c, "1")), w.sink))
	if len(r.calls) != 0 {
		t.Errorf("calls: %v", r.calls)
	}
}

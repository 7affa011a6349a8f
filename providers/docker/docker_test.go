package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

func TestLifecycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("db")
	c.Env = map[string]secret.Text{"NAME": secret.Plain("one"), "PASSWORD": {Value: "planted-secret", Sensitive: true}}
	c.Labels = map[string]string{"team": "blue", MetaPrefix + "endpoint": "10.0.0.1:5986", labelIdentity: "forged"}
	c.Aliases = []string{"database"}
	n := node(c, "id-1")
	n.Parts = map[string]string{"image": base, "long": strings.Repeat("x", 100)}
	w.must(w.up(providers.Create, n))

	o := w.observed(c.Addr)
	if o.State != providers.Ready || o.Identity != "id-1" || o.Mutable != "" || !slices.Equal(o.After, []addr.Addr{networkAddr}) {
		t.Errorf("observed %+v", o)
	}
	if o.Meta["endpoint"] != "10.0.0.1:5986" || o.Parts["image"] != base || len(o.Parts["long"]) > maxPart {
		t.Errorf("observed meta %v, parts %v", o.Meta, o.Parts)
	}
	if sameInstance(o.Instance, w.instance) == false || o.Instance.SpecDir != w.instance.SpecDir {
		t.Errorf("observed instance %+v", o.Instance)
	}
	if got := w.run(c.Addr, "/bin/sh", "-c", "echo $NAME; getent hosts database db | awk '{print $2}'; hostname"); got != "one\ndatabase\ndb\ndb" {
		t.Errorf("in the container: %q", got)
	}

	w.must(w.p.Remove(w.ctx, providers.Change{Action: providers.Delete, Instance: w.instance, Observed: &o}, w.sink))
	w.must(w.p.Remove(w.ctx, providers.Change{Action: providers.Delete, Instance: w.instance, Observed: &o}, w.sink)) // again is no error
	if got := w.observed(c.Addr).State; got != providers.Missing {
		t.Errorf("after Remove it is %s", got)
	}
}

func TestNetworkIsAdoptedOrRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	again := providers.Change{Action: providers.Create, Instance: w.instance, Node: providers.Node{Addr: networkAddr, Identity: "network", Body: &providers.Network{}}}
	w.must(w.p.Apply(w.ctx, again, w.sink)) // another run made it since it was observed
	w.must(w.p.WaitReady(w.ctx, again, w.sink))

	// Another instance whose names come to the same.
	again.Instance.Environment = strings.TrimSuffix(w.instance.Environment, w.instance.Environment[10:])
	again.Instance.ID = w.instance.Environment[11:] + "-" + w.instance.ID
	if networkName(again.Instance) != networkName(w.instance) {
		t.Fatalf("%s is not %s", networkName(again.Instance), networkName(w.instance))
	}
	if err := w.p.Apply(w.ctx, again, w.sink); err == nil || !strings.Contains(err.Error(), "not this environment's") {
		t.Errorf("error %v", err)
	}
	c := sleeper("app")
	c.Volumes = []envspec.Volume{{Name: "data", Target: "/data"}}
	w.must(w.p.ensureVolumes(w.ctx, w.instance, c))
	if err := w.p.ensureVolumes(w.ctx, again.Instance, c); err == nil || !strings.Contains(err.Error(), "not this environment's") {
		t.Errorf("error %v", err)
	}
}

// TestTwoNetworksOfOneName: an engine that goes on with what a killed run asked of it may make a second one.
func TestTwoNetworksOfOneName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	labels, err := w.p.nodeLabels(providers.Change{Instance: w.instance, Node: providers.Node{Addr: networkAddr, Identity: "network"}})
	w.must(err)
	body, err := json.Marshal(map[string]any{"Name": networkName(w.instance), "Driver": "bridge", "Labels": labels})
	w.must(err)
	second := func() bool { // false with an engine that keeps to one by itself
		// Not through the client, which has the engine look for the name.
		resp, err := w.p.api.HTTPClient().Post("http://"+client.DummyHost+"/v1.41/networks/create", "application/json", bytes.NewReader(body))
		w.must(err)
		_ = resp.Body.Close()
		all, err := w.p.networksOf(w.ctx, w.instance)
		w.must(err)
		return len(all) == 2
	}
	if !second() {
		return
	}
	first := w.observed(networkAddr).Handle
	w.must(w.up(providers.Create, node(sleeper("app"), "1")))
	all, err := w.p.networksOf(w.ctx, w.instance)
	w.must(err)
	if len(all) != 1 || all[0].ID != first {
		t.Errorf("with a container up there is %+v, and %s was first", all, first)
	}
	second() // removeAll fails where it stays
}

func TestReplaceKeepsVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := shell("db", "echo $WHO >> /data/log; exec sleep 600")
	c.Volumes = []envspec.Volume{{Name: "data", Target: "/data"}}
	c.Env = map[string]secret.Text{"WHO": secret.Plain("first")}
	c.Ready = &envspec.Ready{Exec: []string{"test", "-s", "/data/log"}}
	w.must(w.up(providers.Create, node(c, "1")))
	first := w.observed(c.Addr).Handle

	c.Env = map[string]secret.Text{"WHO": secret.Plain("second")}
	c.Ready = &envspec.Ready{Exec: []string{"grep", "-q", "second", "/data/log"}}
	w.must(w.up(providers.Replace, node(c, "2")))
	o := w.observed(c.Addr)
	if o.Handle == first || o.Identity != "2" {
		t.Errorf("not replaced: %+v", o)
	}
	if got := w.run(c.Addr, "cat", "/data/log"); got != "first\nsecond" {
		t.Errorf("the volume holds %q", got)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	c.Files = []envspec.File{
		{Path: "/etc/app/deep/plain.conf", Content: secret.Plain("plain")},
		{Path: "/run/secrets/key", Content: secret.Text{Value: "hidden-key", Sensitive: true}, UID: 1000, GID: 1001},
		{Path: "/usr/local/bin/tool", Content: secret.Plain("#!/bin/sh\necho tool\n"), Mode: 0o755},
		{Path: "/etc/app/changing", Content: secret.Plain("before"), Mutable: true},
	}
	n := node(c, "1")
	n.Mutable = "m1"
	w.must(w.up(providers.Create, n))
	got := w.run(c.Addr, "stat", "-c", "%n %a %u:%g", "/etc", "/etc/app", "/etc/app/deep", "/etc/app/deep/plain.conf", "/run/secrets", "/run/secrets/key", "/usr/local/bin/tool", "/usr/local/bin")
	want := "/etc 755 0:0\n/etc/app 755 0:0\n/etc/app/deep 755 0:0\n/etc/app/deep/plain.conf 644 0:0\n/run/secrets 755 0:0\n/run/secrets/key 400 1000:1001\n/usr/local/bin/tool 755 0:0\n/usr/local/bin 755 0:0"
	if got != want {
		t.Errorf("files:\n%s\nwant:\n%s", got, want)
	}
	if got := w.run(c.Addr, "tool"); got != "tool" {
		t.Errorf("tool said %q", got)
	}

	before := w.observed(c.Addr)
	c.Files[3].Content = secret.Plain("after")
	n.Mutable = "m2"
	w.must(w.up(providers.Update, n))
	after := w.observed(c.Addr)
	if after.Handle != before.Handle || string(before.Carried["/etc/app/changing"]) != "before" || string(after.Carried["/etc/app/changing"]) != "after" {
		t.Errorf("update: %+v, then %+v", before, after)
	}
	if got := w.run(c.Addr, "cat", "/etc/app/changing", "/run/secrets/key"); got != "afterhidden-key" {
		t.Errorf("the files hold %q", got)
	}
}

func TestIncompleteCreationIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("half")
	change := w.change(providers.Create, node(c, "1"))
	// What a kill between create and start leaves.
	_, err := w.p.create(w.ctx, change, c, w.sink)
	w.must(err)
	o := w.observed(c.Addr)
	if o.State != providers.Failed || o.Detail != providers.Incomplete || o.Identity != "" {
		t.Errorf("observed %+v", o)
	}
	w.must(w.up(providers.Replace, node(c, "1")))
	if o := w.observed(c.Addr); o.State != providers.Ready || o.Identity != "1" {
		t.Errorf("after replacing: %+v", o)
	}
	// And by a run that observed before the other made it.
	w.must(w.up(providers.Create, node(c, "1")))
}

func TestStoppedIsStartedByUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("app")
	n := node(c, "1")
	w.must(w.up(providers.Create, n))
	id := w.observed(c.Addr).Handle
	w.must(w.p.api.ContainerStop(w.ctx, id, container.StopOptions{}))
	w.eventually(c.Addr, func(o providers.Observed) bool {
		return o.State == providers.Stopped && strings.HasPrefix(o.Detail, "exited with code")
	})
	if _, err := w.p.Exec(w.ctx, w.observed(c.Addr), providers.ExecOptions{Command: []string{"true"}, Stdout: io.Discard, Stderr: io.Discard}); err == nil ||
		!strings.Contains(err.Error(), `container.app does not run (exited with code`) {
		t.Errorf("a command in one that is stopped: %v", err)
	}
	w.must(w.up(providers.Update, n))
	w.must(w.p.api.ContainerPause(w.ctx, id))
	w.eventually(c.Addr, func(o providers.Observed) bool { return o.State == providers.Stopped && o.Detail == "paused" })
	w.must(w.up(providers.Update, n))
	if o := w.observed(c.Addr); o.State != providers.Ready || o.Handle != id {
		t.Errorf("observed %+v", o)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := sleeper("bad")
	c.Command, c.Init = []string{"/no/such/program"}, false
	err := w.up(providers.Create, node(c, "1"))
	if err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("error %v", err)
	}
	list, err := w.p.api.ContainerList(w.ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelInstance+"="+w.instance.ID))})
	w.must(err)
	if len(list) != 0 {
		t.Errorf("left behind: %+v", list)
	}
}

func TestSecretStaysHidden(t *testing.T) {
	t.Parallel()
	const planted = "planted-s3cret"
	w := newWorld(t)
	c := shell("leaky", "echo the password is $PASSWORD; exit 3")
	c.Env = map[string]secret.Text{"PASSWORD": {Value: planted, Sensitive: true}}
	c.Files = []envspec.File{{Path: "/secret", Content: secret.Text{Value: planted + "\nmore-hidden", Sensitive: true}}}
	c.Ready = &envspec.Ready{Exec: []string{"/bin/sh", "-c", "echo $PASSWORD; exit 1"}}
	n := node(c, "1")
	err := w.up(providers.Create, n)
	if err == nil || !strings.Contains(err.Error(), secret.Mask) {
		t.Fatalf("error %v", err)
	}
	// A check that fails while the container runs.
	c2 := sleeper("checked")
	c2.Env, c2.Ready = c.Env, &envspec.Ready{Exec: c.Ready.Exec, Retries: 2}
	err2 := w.up(providers.Create, node(c2, "1"))
	// And a build that prints its argument.
	c3 := sleeper("built")
	c3.Image = ""
	c3.Build = &envspec.Build{Inline: "FROM " + base + "\nARG PASSWORD\nRUN echo \"got $PASSWORD\" && false\n", Args: c.Env}
	err3 := w.up(providers.Create, node(c3, "1"))
	for _, text := range []string{err.Error(), fmt.Sprint(err2), fmt.Sprint(err3), w.said()} {
		if strings.Contains(text, planted) || strings.Contains(text, "more-hidden") {
			t.Errorf("the secret is in %q", text)
		}
	}
	if !strings.Contains(w.said(), "got "+secret.Mask) {
		t.Errorf("the build's output is missing from %s", w.said())
	}
	containers, err := w.p.api.ContainerList(w.ctx, container.ListOptions{All: true, Filters: instanceFilter(w.instance)})
	w.must(err)
	for _, is := range containers {
		if labels := fmt.Sprint(slices.Collect(maps.Values(is.Labels))); strings.Contains(labels, planted) {
			t.Errorf("the secret is in the labels %s", labels)
		}
	}
}

package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

// folder writes files, by path, into a folder of the test's.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBuildIdentity(t *testing.T) {
	dir := folder(t, map[string]string{
		"Dockerfile": "FROM " + base + "\nCOPY . /app\n", ".dockerignore": "*.log\nnode_modules\n!keep.log\n",
		"main.go": "package main", "debug.log": "noise", "keep.log": "kept", "node_modules/x/y.js": "code", "sub/data": "data",
	})
	b := &envspec.Build{Context: dir, Args: map[string]secret.Text{"V": secret.Plain("1")}}
	id := func() string {
		t.Helper()
		s, err := BuildIdentity(b, "")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := id()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		name    string
		do      func() error
		changes bool
	}{
		{"nothing", func() error { return nil }, false},
		{"touch", func() error { return os.Chtimes(at("main.go"), time.Unix(1, 0), time.Unix(1, 0)) }, false},
		{"group may write", func() error { return os.Chmod(at("main.go"), 0o664) }, false},
		{"ignored file", func() error { write(t, at("debug.log"), "more noise"); return nil }, false},
		{"file in ignored folder", func() error { write(t, at("node_modules/x/z.js"), "more code"); return nil }, false},
		{"executable", func() error { return os.Chmod(at("main.go"), 0o755) }, true},
		{"content", func() error { write(t, at("main.go"), "package other"); return nil }, true},
		{"file that an exception keeps", func() error { write(t, at("keep.log"), "other"); return nil }, true},
		{"new file", func() error { write(t, at("sub/new"), ""); return nil }, true},
		{"renamed", func() error { return os.Rename(at("sub/new"), at("sub/newer")) }, true},
		{"link", func() error { return os.Symlink("main.go", at("link")) }, true},
		{"Dockerfile", func() error { write(t, at("Dockerfile"), "FROM "+base+"\nCOPY . /src\n"); return nil }, true},
		{"argument", func() error { b.Args["V"] = secret.Plain("2"); return nil }, true},
		{"target", func() error { b.Target = "x"; return nil }, true},
		{"secret", func() error { b.Secrets = map[string]secret.Text{"a": {Value: "v1", Sensitive: true}}; return nil }, true},
		{"cache", func() error { b.CacheFrom = []string{base}; return nil }, false},
		{"locked base", func() error { b.From = map[string]string{base: "sha256:1"}; return nil }, true},
		{"tag", func() error { b.Tag = "shared"; return nil }, false},
	} {
		if err := test.do(); err != nil {
			t.Fatal(err)
		}
		next := id()
		if changed := next != first; changed != test.changes {
			t.Errorf("%s: changed %t", test.name, changed)
		}
		first = next
	}
	if other, _ := BuildIdentity(b, "linux/arm64"); other == first {
		t.Error("the platform does not count")
	}
	if !buildIdentity.MatchString(first) {
		t.Errorf("%q is not what a tag is made from", first)
	}
}

func TestBuildContextIsSentAsIgnored(t *testing.T) {
	t.Parallel()
	withBuilders(t, buildContextIsSentAsIgnored)
}

func buildContextIsSentAsIgnored(t *testing.T, w *world) {
	dir := folder(t, map[string]string{
		"docker/App.dockerfile": "ARG TAG=none\nFROM debian:$TAG AS build\nARG WHO\nRUN echo hello $WHO > /greeting\n" +
			"FROM build AS final\nCOPY . /app\nFROM final AS unused\nRUN false\n",
		".dockerignore": "*.log\n.dockerignore\n", "main.txt": "main", "debug.log": "noise",
	})
	if err := os.Chmod(filepath.Join(dir, "main.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := sleeper("app")
	c.Image = ""
	c.Build = &envspec.Build{Context: dir, Dockerfile: "docker/App.dockerfile", Target: "final",
		Args: map[string]secret.Text{"WHO": secret.Plain("world"), "TAG": secret.Plain("trixie-slim")}}
	bases, err := BaseImages(c.Build)
	w.must(err)
	if diff := cmp.Diff([]string{base}, bases); diff != "" {
		t.Errorf("base images: %s", diff)
	}
	n := node(c, "1")
	id, err := BuildIdentity(c.Build, "")
	w.must(err)
	n.Parts = map[string]string{BuildPart: id}
	w.must(w.up(providers.Create, n))
	got := w.run(c.Addr, "/bin/sh", "-c", "cat /greeting; cd /app; find . -type f | sort; stat -c %a main.txt")
	if want := "hello world\n./docker/App.dockerfile\n./main.txt\n755"; got != want {
		t.Errorf("in the image:\n%s\nwant:\n%s", got, want)
	}
	tag := "envctl/" + w.instance.Environment + "-app:" + id[:16]
	if there, err := w.p.imagePresent(w.ctx, tag, ""); !there || err != nil {
		t.Errorf("%s is not there: %v", tag, err)
	}

	// The same again builds nothing, even for a provider that never saw it.
	other := engine(t, Options{})
	before := len(w.said())
	w.must(other.Prepare(w.ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: n}, w.sink))
	if said := w.said()[before:]; said != "" {
		t.Errorf("it built again: %s", said)
	}

	// A context that changed since the plan is not passed off as what was planned.
	write(t, filepath.Join(dir, "main.txt"), "changed")
	c.Build.Target = ""
	err = other.Prepare(w.ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: providers.Node{
		Addr: c.Addr, Body: c, Parts: map[string]string{BuildPart: strings.Repeat("0", 32)}}}, w.sink)
	if err == nil || !strings.Contains(err.Error(), "changed since the plan") {
		t.Errorf("error %v", err)
	}
}

func TestBuildFailureShowsItsEnd(t *testing.T) {
	t.Parallel()
	withBuilders(t, buildFailureShowsItsEnd)
}

func buildFailureShowsItsEnd(t *testing.T, w *world) {
	c := sleeper("app")
	c.Image = ""
	c.Build = &envspec.Build{Inline: "FROM " + base + "\nRUN echo step one # " + w.instance.ID + "\nRUN echo about to fail && exit 9\n"}
	err := w.up(providers.Create, node(c, "1"))
	if err == nil || !strings.Contains(err.Error(), "about to fail") || !strings.Contains(err.Error(), "code: 9") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(w.said(), "log step one") {
		t.Errorf("its output is missing from %s", w.said())
	}
	// What it made on the way is found by its labels and goes with the rest (removeAll looks at the instance alone).
	label := filters.NewArgs(filters.Arg("label", labelEnvironment+"="+w.instance.Environment))
	made, err := w.p.api.ImageList(w.ctx, image.ListOptions{All: true, Filters: label})
	w.must(err)
	if classic := w.p.getenv("DOCKER_BUILDKIT") == "0"; classic && len(made) == 0 {
		t.Error("no step of the build is labelled")
	}
	w.must(w.p.removeOwnImages(w.ctx, w.instance))
	made, err = w.p.api.ImageList(w.ctx, image.ListOptions{All: true, Filters: label})
	w.must(err)
	if len(made) != 0 {
		t.Errorf("left behind: %+v", made)
	}
}

func TestBuildOnHostNetworkWhereTheBridgeLeadsNowhere(t *testing.T) {
	t.Parallel()
	withBuilders(t, buildOnHostNetworkWhereTheBridgeLeadsNowhere)
}

func buildOnHostNetworkWhereTheBridgeLeadsNowhere(t *testing.T, w *world) {
	c := sleeper("app")
	c.Image = ""
	// It fails as a package manager does, but where the host's network is used.
	c.Build = &envspec.Build{Inline: "FROM " + base + "\n" +
		`RUN if ls /sys/class/net | grep -q docker0; then echo reached; else echo "Temporary failure resolving deb.debian.org"; exit 1; fi # ` + w.instance.ID + "\n"}
	if _, err := os.Stat("/sys/class/net/docker0"); err != nil {
		t.Skip("this test needs the engine's docker0 bridge on this computer")
	}
	w.must(w.up(providers.Create, node(c, "1")))
	if said := w.said(); !strings.Contains(said, "warning the build could not reach the network") || !strings.Contains(said, "log reached") {
		t.Errorf("said %s", said)
	}
}

func TestSharedImageFromMemory(t *testing.T) {
	t.Parallel()
	withBuilders(t, sharedImageFromMemory)
}

func sharedImageFromMemory(t *testing.T, w *world) {
	tag := "dockertest-" + w.instance.ID
	c := sleeper("gw")
	c.Image = ""
	c.Command = []string{"/tool", "600"}
	c.Init = false
	c.Build = &envspec.Build{Tag: tag, Files: map[string]blob.Blob{
		"Dockerfile": blob.Of([]byte("FROM " + base + "\nCOPY tool /tool\n")), "tool": blob.Of([]byte("#!/bin/sh\nexec sleep $1\n")),
	}}
	w.must(w.up(providers.Create, node(c, "1")))
	w.must(w.p.removeSharedImages(w.ctx, labelShared+"="+tag))
	list, err := w.p.api.ImageList(w.ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "envctl/"+tag))})
	w.must(err)
	if len(list) != 1 {
		t.Fatalf("the image that a container uses: %+v", list)
	}
	o := w.observed(c.Addr)
	w.must(w.p.Remove(w.ctx, providers.Change{Action: providers.Delete, Instance: w.instance, Observed: &o}, w.sink))
	w.must(w.p.removeSharedImages(w.ctx, labelShared+"="+tag))
	list, err = w.p.api.ImageList(w.ctx, image.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelShared+"="+tag))})
	w.must(err)
	if len(list) != 0 {
		t.Errorf("left behind: %+v", list)
	}
}

func TestPinnedBase(t *testing.T) {
	t.Parallel()
	withBuilders(t, pinnedBase)
}

func pinnedBase(t *testing.T, w *world) {
	is, err := w.p.api.ImageInspect(w.ctx, base)
	w.must(err)
	c := sleeper("app")
	c.Image = ""
	c.Build = &envspec.Build{Inline: "FROM moved:elsewhere\nRUN true\n", From: map[string]string{"moved:elsewhere": is.ID}}
	w.must(w.up(providers.Create, node(c, "1")))
}

func TestDockerfile(t *testing.T) {
	text := "# escape=`\nARG V=1\nARG R\nFROM --platform=$X repo.io/${R}/a:$V AS One\nRUN x `\n  FROM not:this\nRUN <<EOF\nFROM nor:this\nEOF\n" +
		"from one\nFROM ${MISSING:-b:2}\nFROM scratch\nFROM one as two\n"
	d := parseDockerfile(text, map[string]string{"R": "team"})
	if diff := cmp.Diff([]string{"repo.io/team/a:1", "b:2"}, d.bases()); diff != "" {
		t.Error(diff)
	}
	got := d.rewrite(map[string]string{"b:2": "b@sha256:1"}, "LABEL x", "", "")
	if strings.Count(got, "\nLABEL x\n") != 5 || !strings.Contains(got, "\nFROM b@sha256:1\nLABEL x\n") || strings.Contains(got, "this\nLABEL") {
		t.Errorf("rewritten:\n%s", got)
	}
}

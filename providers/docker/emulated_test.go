package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"

	"github.com/envctl/envctl/providers"
)

func TestEmulated(t *testing.T) {
	for _, test := range []struct {
		image, engine string
		want          bool
	}{
		{"amd64", "amd64", false}, {"arm64", "arm64", false}, {"386", "amd64", false}, {"arm", "arm64", false},
		{"amd64", "arm64", true}, {"arm64", "amd64", true}, {"arm", "amd64", true}, {"s390x", "amd64", true},
	} {
		if got := emulated(test.image, test.engine); got != test.want {
			t.Errorf("%s on %s: %t", test.image, test.engine, got)
		}
	}
}

// TestForeignImageIsWarnedOf uses an image that says it is for another processor: what is in it need not run.
func TestForeignImageIsWarnedOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	engine, err := w.p.Platform(w.ctx)
	w.must(err)
	foreign := "linux/arm64"
	if engine == foreign {
		foreign = "linux/amd64"
	}
	ref := "dockertest/foreign:" + w.instance.ID
	loaded, err := w.p.api.ImageLoad(w.ctx, imageArchive(t, ref, foreign))
	w.must(err)
	_, err = io.Copy(io.Discard, loaded.Body) // it is there when the engine has said so
	w.must(errors.Join(err, loaded.Body.Close()))
	t.Cleanup(func() { _, _ = w.p.api.ImageRemove(context.WithoutCancel(w.ctx), ref, image.RemoveOptions{}) })
	for _, platform := range []string{foreign, ""} {
		c := sleeper("app")
		c.Image, c.Platform = ref, platform
		change := providers.Change{Action: providers.Create, Instance: w.instance, Node: node(c, "1")}
		before := len(w.said())
		w.must(w.p.Prepare(w.ctx, change, w.sink))
		said := w.said()[before:]
		if !strings.Contains(said, "warning image "+ref+" is made for "+foreign+" and this engine is "+engine) ||
			strings.Contains(said, "`platform` asks") != (platform != "") {
			t.Errorf("platform %q: said %q", platform, said)
		}
	}
	c := sleeper("app")
	before := len(w.said())
	w.must(w.p.Prepare(w.ctx, providers.Change{Action: providers.Create, Instance: w.instance, Node: node(c, "1")}, w.sink))
	if said := w.said()[before:]; said != "" {
		t.Errorf("an image of the engine's own kind: said %q", said)
	}
}

// imageArchive is an archive, as `docker load` takes it, of an image with the layers given, or one that is empty.
func imageArchive(t *testing.T, ref, platform string, layers ...[]byte) io.Reader {
	t.Helper()
	if len(layers) == 0 {
		layers = [][]byte{make([]byte, 1024)} // an empty archive
	}
	files := map[string]string{}
	var sums, names []string
	for i, layer := range layers {
		name := fmt.Sprintf("layer%d.tar", i)
		files[name] = string(layer)
		names, sums = append(names, strconv.Quote(name)), append(sums, fmt.Sprintf(`"sha256:%x"`, sha256.Sum256(layer)))
	}
	os, arch, _ := strings.Cut(platform, "/")
	files["config.json"] = fmt.Sprintf(`{"os":%q,"architecture":%q,"config":{},"rootfs":{"type":"layers","diff_ids":[%s]}}`, os, arch, strings.Join(sums, ","))
	files["manifest.json"] = fmt.Sprintf(`[{"Config":"config.json","RepoTags":[%q],"Layers":[%s]}]`, ref, strings.Join(names, ","))
	return bytes.NewReader(archive(t, files))
}

// archive is a tar of files.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))})
		if _, werr := io.WriteString(w, content); err != nil || werr != nil {
			t.Fatal(err, werr)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

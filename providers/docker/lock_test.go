package docker

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLockImage asks about images that are on the engine, in a registry, in both or in neither. A registry of
// its own, with a tag that moves, is in the tests of the command line.
func TestLockImage(t *testing.T) {
	t.Parallel()
	id, digest := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	const both = `{"os":"linux","architecture":"amd64"},{"os":"linux","architecture":"arm64","variant":"v8"},{"os":"linux","architecture":"arm","variant":"v7"},{"os":"unknown","architecture":"unknown"}`
	tests := []struct {
		name, platform string
		pinned         bool
		repoDigests    string // of the image on the engine; "-" where it has none
		platforms      string // that the registry lists; "-" where it has no such image
		want           []string
		err            string
	}{
		{name: "in a registry", platform: "linux/amd64", repoDigests: "-", platforms: both,
			want: []string{"linux/amd64 " + digest, "linux/arm64 " + digest}},
		{name: "asked for on a Mac", platform: "linux/arm64", repoDigests: "-", platforms: both,
			want: []string{"linux/arm64 " + digest, "linux/amd64 " + digest}},
		{name: "a platform of the spec's choice", platform: "linux/arm/v7", pinned: true, repoDigests: "-", platforms: both,
			want: []string{"linux/arm/v7 " + digest}},
		{name: "the variant written out", platform: "linux/arm64/v8", pinned: true, repoDigests: "-", platforms: both,
			want: []string{"linux/arm64/v8 " + digest}},
		{name: "for one platform only", platform: "linux/amd64", repoDigests: "-", platforms: `{"os":"linux","architecture":"amd64"}`,
			want: []string{"linux/amd64 " + digest}},
		{name: "for none that it says", platform: "linux/amd64", pinned: true, repoDigests: "-", platforms: "", want: []string{"linux/amd64 " + digest}},
		{name: "not for this platform", platform: "linux/s390x", repoDigests: "-", platforms: both, err: "does not exist for platform linux/s390x"},
		{name: "pulled before; the tag may have moved", platform: "linux/amd64", repoDigests: `"acme/app@` + id + `"`, platforms: both,
			want: []string{"linux/amd64 " + digest, "linux/arm64 " + digest}},
		{name: "built here", platform: "linux/amd64", repoDigests: "", platforms: "-", want: []string{"linux/amd64 " + id}},
		{name: "built here in a containerd store", platform: "linux/amd64", repoDigests: `"acme/app@` + id + `"`, platforms: "-",
			want: []string{"linux/amd64 " + id}},
		{name: "nowhere", platform: "linux/amd64", repoDigests: "-", platforms: "-", err: "see that the name and tag are right"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
			answer := func(pattern, missing, text string) {
				mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
					if missing == "-" {
						w.WriteHeader(http.StatusNotFound)
						text = `{"message":"No such image: not found"}`
					}
					_, _ = fmt.Fprint(w, text)
				})
			}
			answer("GET /v1.41/images/acme/app:1/json", c.repoDigests,
				fmt.Sprintf(`{"Id":%q,"Os":"linux","Architecture":"amd64","RepoDigests":[%s]}`, id, c.repoDigests))
			answer("GET /v1.41/distribution/acme/app:1/json", c.platforms,
				fmt.Sprintf(`{"Descriptor":{"digest":%q},"Platforms":[%s]}`, digest, c.platforms))
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			p, err := New(Options{ConfigDir: t.TempDir(), Getenv: func(k string) string {
				return map[string]string{"DOCKER_HOST": "tcp://" + server.Listener.Addr().String()}[k]
			}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			found, err := p.LockImage(t.Context(), "acme/app:1", c.platform, c.pinned)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, f.Platform+" "+f.Digest+f.LocalID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

package docker

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/google/go-cmp/cmp"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/egress/egresstest"
	"github.com/envctl/envctl/internal/sandbox"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

const plantedLogin = "plantedLogin-proxy-password"

// corporate is a world whose way out is an inspecting proxy on the host's address of its network, for which one logs in.
func corporate(t *testing.T) (*world, *egresstest.Proxy, *egress.Settings) {
	t.Helper()
	w := newWorld(t)
	p, s := corporateOn(t, w)
	return w, p, s
}

func corporateOn(t *testing.T, w *world) (*egresstest.Proxy, *egress.Settings) {
	t.Helper()
	w.p.userConfig = "/home/ann/.config/envctl/config.hcl"
	is, err := w.p.api.NetworkInspect(w.ctx, networkName(w.instance), network.InspectOptions{})
	w.must(err)
	p := egresstest.Start(t, is.IPAM.Config[0].Gateway, "ann:"+plantedLogin)
	proxy, _ := egress.ProxyURL(strings.Replace(p.URL, "http://", "http://ann:"+plantedLogin+"@", 1))
	return p, &egress.Settings{CA: p.CA, Proxies: map[string]secret.Text{"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}, Direct: []string{"web"}}
}

// fetcher is a program that is as any other.
func fetcher(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fetch")
	cmd := exec.Command("go", "build", "-o", path, "./testdata/fetch")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func fetchFile(t *testing.T) envspec.File {
	t.Helper()
	program, err := os.ReadFile(fetcher(t))
	if err != nil {
		t.Fatal(err)
	}
	return envspec.File{Path: "/fetch", Content: secret.Plain(string(program)), Mode: 0o755}
}

func TestContainersReachTheWorldThroughAnInspectingProxy(t *testing.T) {
	t.Parallel()
	w, p, s := corporate(t)
	fetch := fetchFile(t)
	web := sleeper("web")
	web.Command = []string{"perl", "-MIO::Socket::INET", "-e",
		`$s = IO::Socket::INET->new(Listen => 5, LocalPort => 80, ReuseAddr => 1) or die; while ($c = $s->accept) { sysread $c, $_, 4096; print $c qq(HTTP/1.0 200 OK\r\n\r\nover the wire); close $c }`}
	web.Ports = []envspec.Port{{Name: "http", Guest: 80, Protocol: "tcp"}}
	web.Ready = &envspec.Ready{TCP: &envspec.TCPCheck{Port: "http"}}
	w.must(w.up(providers.Create, node(web, "1")))

	app := sleeper("app")
	app.Egress, app.ReadOnly, app.Tmpfs = s, true, []string{"/tmp"} // copied in even so
	fetch.Path = "/opt/fetch"
	app.Files = []envspec.File{fetch}
	app.Env = map[string]secret.Text{"PIP_CERT": secret.Plain("/its/own")}
	w.must(w.up(providers.Create, node(app, "1")))
	if got := w.run(app.Addr, "/opt/fetch", "https://something.test/"); got != egresstest.Answer {
		t.Errorf("from outside came %q", got)
	}
	if got := w.run(app.Addr, "/opt/fetch", "http://web/"); got != "over the wire" {
		t.Errorf("over the wire came %q", got)
	}
	if diff := cmp.Diff([]string{"something.test"}, p.Seen()); diff != "" {
		t.Errorf("the proxy was asked for: %s", diff)
	}
	if got := w.run(app.Addr, "printenv", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "no_proxy"); got != "/its/own\n"+egress.CAPath+"\n127.0.0.1,::1,host.docker.internal,localhost,web" {
		t.Errorf("its environment: %s", got)
	}
	if got := w.run(app.Addr, "stat", "-c", "%a %U", egress.CAPath, egress.BundlePath); got != "644 root\n644 root" {
		t.Errorf("the files: %s", got)
	}

	without := sleeper("without")
	without.Files = []envspec.File{fetch}
	untrusting := *s
	untrusting.CA = ""
	without.Egress = &untrusting
	w.must(w.up(providers.Create, node(without, "1")))
	if got := w.run(without.Addr, "/bin/sh", "-c", "/opt/fetch https://something.test/ || true"); !strings.Contains(got, "unknown authority") {
		t.Errorf("without the CA: %s", got)
	}
	is, err := w.p.api.ContainerInspect(w.ctx, w.observed(app.Addr).Handle)
	w.must(err)
	text, err := json.Marshal(is.Config.Labels)
	w.must(err)
	if strings.Contains(string(text)+w.said(), plantedLogin) {
		t.Error("the login is in a label or an event")
	}
}

// A check, or a container's own words, that tell of a certificate whose signer nobody knows.
func TestNotReadyBehindAnInspectingProxy(t *testing.T) {
	t.Parallel()
	w, _, s := corporate(t)
	untrusting := *s
	untrusting.CA = ""
	fetch := fetchFile(t)
	for _, test := range []struct{ name, script, check string }{
		{"check", "exec sleep 600", "/fetch https://something.test/"},
		{"job", "/fetch https://something.test/", ""},
	} {
		c := shell(test.name, test.script)
		c.Egress, c.Files = &untrusting, []envspec.File{fetch}
		if test.check == "" {
			c.Addr.Kind = addr.Job
		} else {
			c.Ready = &envspec.Ready{Exec: strings.Fields(test.check), Retries: 1, Interval: 10 * time.Millisecond}
		}
		err := w.up(providers.Create, node(c, "1"))
		for _, want := range []string{"a proxy that inspects TLS may be in between", "`ca_file`", w.p.userConfig} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is missing from: %v", test.name, want, err)
			}
		}
	}
}

// An image's own list of authorities stays part of what its programs trust.
func TestTheImagesOwnAuthoritiesStayTrusted(t *testing.T) {
	t.Parallel()
	w, p, s := corporate(t)
	other := egresstest.Start(t, "127.0.0.1", "").CA
	c := sleeper("app")
	c.Image, c.Egress = "", s
	dir := folder(t, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY own.pem /real.pem\nCOPY own.pem /etc/ssl/certs/own.pem\nRUN ln -sf ../../../real.pem /etc/ssl/certs/ca-certificates.crt\n", "own.pem": other})
	c.Build = &envspec.Build{Context: dir}
	w.must(w.up(providers.Create, node(c, "1")))
	if got := w.run(c.Addr, "cat", egress.BundlePath); got != strings.TrimSpace(other+p.CA) {
		t.Errorf("the bundle is %s", got)
	}
}

func TestBuildsReachTheWorldThroughAnInspectingProxy(t *testing.T) {
	t.Parallel()
	w, p, s := corporate(t)
	dir := folder(t, map[string]string{".dockerignore": "*\n!fetch\n", "Dockerfile": "FROM " + base + " AS build\nCOPY fetch /fetch\n" +
		"RUN /fetch https://something.test/" + w.instance.ID + " > /got\n" + // a step that was cached would not ask again

		"RUN /usr/lib/apt/apt-helper download-file https://packages.test/x /gotten\n" +
		"FROM scratch AS bare\nCOPY --from=build /got /got\n" +
		"FROM build AS final\nENV ANYTHING=set\nCOPY --from=bare /got /again\n"})
	program, err := os.ReadFile(fetcher(t))
	w.must(err)
	w.must(os.WriteFile(filepath.Join(dir, "fetch"), program, 0o755))
	c := sleeper("app")
	c.Image = ""
	c.Build = &envspec.Build{Context: dir, Egress: s}
	before, err := BuildIdentity(c.Build, "")
	w.must(err)
	w.must(w.up(providers.Create, node(c, "1")))
	if got := w.run(c.Addr, "cat", "/got", "/gotten", "/again"); got != strings.Repeat(egresstest.Answer, 3) {
		t.Errorf("in the image: %s", got)
	}
	if diff := cmp.Diff([]string{"packages.test", "something.test"}, p.Seen()); diff != "" {
		t.Errorf("the proxy was asked for: %s", diff)
	}
	if env := w.run(c.Addr, "env"); strings.Contains(strings.ToLower(env), "proxy") || strings.Contains(env, "envctl/") {
		t.Errorf("left in the image: %s", env)
	}
	tag, err := buildTag(w.change(providers.None, node(c, "1")), c)
	w.must(err)
	history, err := w.p.api.ImageHistory(w.ctx, tag)
	w.must(err)
	is, err := w.p.api.ImageInspect(w.ctx, tag)
	w.must(err)
	text, err := json.Marshal([]any{history, is})
	w.must(err)
	if strings.Contains(string(text)+w.said(), plantedLogin) {
		t.Errorf("the login is in the image's history or in an event")
	}
	without := *c.Build
	without.Egress = nil
	if after, err := BuildIdentity(&without, ""); err != nil || after != before {
		t.Errorf("another way out makes another image: %v", err)
	}

	// Without the CA the build fails, and says why.
	untrusting := *s
	untrusting.CA = ""
	without.Egress = &untrusting
	c.Build = &without
	write(t, filepath.Join(dir, "Dockerfile"), "FROM "+base+"\nCOPY fetch /fetch\nRUN /fetch https://something.test/\n")
	c.Addr = named("without")
	err = w.up(providers.Create, node(c, "1"))
	if err == nil || !strings.Contains(err.Error(), "a proxy that inspects TLS may be in between") || !strings.Contains(err.Error(), "/home/ann/.config/envctl/config.hcl") {
		t.Errorf("error %v", err)
	}
	if err != nil && strings.Contains(err.Error(), plantedLogin) {
		t.Error("the login is in the error")
	}
}

// The sandbox's image asks the proxy for its packages: what this one has of Debian is not signed, and so it ends there.
func TestSandboxImageIsBuiltThroughTheProxy(t *testing.T) {
	t.Parallel()
	withBuilders(t, func(t *testing.T, w *world) {
		p, s := corporateOn(t, w)
		files := sandbox.BuildContext(blob.Of([]byte("node")), blob.Of([]byte("guest")))
		text, err := files["Dockerfile"].Bytes()
		w.must(err)
		// A step that was cached would not ask again, and what is not there now is not there in a moment.
		files["Dockerfile"] = blob.Of([]byte(strings.ReplaceAll(strings.Replace(string(text), "RUN set -eu;", "RUN : "+w.instance.ID+"; set -eu;", 1), "sleep", ":")))
		c := sleeper("box")
		c.Image, c.Build = "", &envspec.Build{Tag: "dockertest-" + w.instance.ID, Files: files, Egress: s}
		err = w.up(providers.Create, node(c, "1"))
		if err == nil || !strings.Contains(err.Error(), "Release") || strings.Contains(err.Error()+w.said(), plantedLogin) {
			t.Errorf("error %v", err)
		}
		if !slices.Contains(p.Seen(), "deb.debian.org") {
			t.Errorf("the proxy was asked for %q", p.Seen())
		}
		w.must(w.p.removeSharedImages(w.ctx, labelShared+"=dockertest-"+w.instance.ID))
	})
}

// The engine itself does not trust what answers in the registry's place.
func TestPullBehindAnInspectingProxy(t *testing.T) {
	t.Parallel()
	w, p, _ := corporate(t)
	s := httptest.NewUnstartedServer(p)
	_ = s.Listener.Close()
	l, err := net.Listen("tcp", net.JoinHostPort(host(t, p.URL), "0"))
	w.must(err)
	s.Listener = tls.NewListener(l, p.TLS(host(t, p.URL)))
	s.Start()
	t.Cleanup(s.Close)
	c := sleeper("app")
	c.Image = l.Addr().String() + "/team/app:1"
	_, lookup := w.p.LockImage(w.ctx, c.Image, "linux/amd64", false)
	for name, err := range map[string]error{"a pull": w.up(providers.Create, node(c, "1")), "a look-up": lookup} {
		for _, want := range []string{"inspects TLS", egresstest.Issuer, "/etc/docker/certs.d/" + l.Addr().String() + "/ca.crt"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is missing from: %v", name, want, err)
			}
		}
	}
}

func host(t *testing.T, url string) string {
	t.Helper()
	h, _, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestProxiesOfTheDockerConfiguration(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.json"), `{"proxies": {
		"default": {"httpProxy": "http://proxy.corp:3128", "httpsProxy": "http://ann:secret@proxy.corp:3128", "noProxy": "a.corp,b.corp"},
		"tcp://engine:2375": {"allProxy": "socks5://other:1080"}}}`)
	for engine, want := range map[string]map[string]string{
		"unix:///var/run/docker.sock": {"HTTP_PROXY": "http://proxy.corp:3128", "HTTPS_PROXY": secret.Mask, "no": "a.corp,b.corp"},
		"tcp://engine:2375":           {"ALL_PROXY": "socks5://other:1080", "no": ""},
	} {
		p, err := New(Options{ConfigDir: dir, Getenv: func(name string) string {
			if name == "DOCKER_HOST" {
				return engine
			}
			return ""
		}})
		if err != nil {
			t.Fatal(err)
		}
		proxies, no := p.ConfiguredProxies()
		got := map[string]string{"no": strings.Join(no, ",")}
		for name, v := range proxies {
			got[name] = v.String()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", engine, diff)
		}
	}
}

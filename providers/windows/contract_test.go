package windows

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/providertest"
)

// TestContract holds the provider to its contract on the real helper, which runs on this computer.
func TestContract(t *testing.T) {
	without := []string{ // a stack of layers is not replaced, started or ended by itself, writes no log, and goes at once
		"Apply replaces", "Apply calls BeforeStart", "WaitReady tells of an early end", "An ended context ends Remove",
		"Logs are what was said", "Logs follow until the context ends", "Logs follow until the resource goes",
	}
	providertest.Run(t, providertest.Suite{Without: without, World: func(t *testing.T) *providertest.World {
		h := newHelper(t)
		p := newTestProvider(t, h)
		dir := t.TempDir()
		s := stacks{dir: dir, separator: "/", interpreter: "sh", machine: machine,
			check: func(path string) []string { return []string{"test", "-s", path} },
			refuse: func(path string) []string {
				return script("echo " + providertest.CheckSays + "; cat " + path + "; exit 1")
			},
			fails:   "echo $PASSWORD; exit 1",
			hangs:   "sleep 600",
			fetched: func() *guestproto.Source { return fetched(t, p) },
		}
		return &providertest.World{
			Provider: p, Instance: instance(), Stranger: stranger(),
			Single:  true,
			Observe: s.observe(p),
			Left:    func(_ context.Context, i providers.Instance) ([]string, error) { return s.left(i, h.dir, dir) },
			Nodes:   s.nodes(),
			Commands: providertest.Commands{
				Exit:  func(code int) []string { return script("exit " + strconv.Itoa(code)) },
				Codes: []int{0, 1, 3, 127, 255},
				Say: func(stdout, stderr string) []string {
					return script("echo '" + stdout + "'; echo '" + stderr + "' >&2")
				},
				Env:  func(name string) []string { return []string{"printenv", name} },
				Cat:  []string{"cat"},
				Hang: []string{"sleep", "600"},
			},
		}
	}})
}

// stranger is an instance of another environment.
func stranger() providers.Instance {
	return providers.Instance{Environment: "billing", ID: "two", SpecDir: "/src/billing"}
}

func script(text string) []string { return []string{"sh", "-c", text} }

// fetched is a file that the provider fetches. The fetching of it is pretended.
func fetched(t *testing.T, p *Provider) *guestproto.Source {
	content := []byte("fetched")
	path := filepath.Join(t.TempDir(), "fetched")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.fetch = func(ctx context.Context, url, _ string, progress func(current, total int64)) (string, error) {
		if strings.HasSuffix(url, "/slow") {
			<-ctx.Done()
			return "", context.Cause(ctx)
		}
		progress(1, 1)
		return path, nil
	}
	sum := sha256.Sum256(content)
	return &guestproto.Source{URL: "https://files.test/one?token=" + providertest.Secret, SHA256: hex.EncodeToString(sum[:]), Name: "fetched"}
}

// stacks makes the machine's layers for the suite, in a folder there.
type stacks struct {
	dir           string
	separator     string // of paths on the machine
	machine       func(layers ...guestproto.Layer) *envspec.Machine
	check, refuse func(path string) []string // a check that passes with the file, and one that prints it and fails
	interpreter   string
	fails, hangs  string // scripts
	fetched       func() *guestproto.Source
}

func (s stacks) path(name string) string { return s.dir + s.separator + name }

func (s stacks) of(ready *envspec.Ready, layers ...guestproto.Layer) providers.Node {
	text := secret.Text{Value: providertest.Secret, Sensitive: true}
	layers = append([]guestproto.Layer{{Kind: "file", Name: s.path("secret"), File: &guestproto.File{Content: &text}}}, layers...)
	m := s.machine(layers...)
	m.Ready = ready
	return providers.Node{Addr: pas, Layers: HashLayers(m.Layers), Body: m}
}

func (s stacks) script(name, run string) guestproto.Layer {
	return guestproto.Layer{Kind: "script", Name: name, Script: &guestproto.Script{Interpreter: s.interpreter, Run: secret.Plain(run),
		Env: map[string]secret.Text{"PASSWORD": {Value: providertest.Secret, Sensitive: true}}}}
}

func (s stacks) nodes() providertest.Nodes {
	plain := func(_ string, version int) providers.Node {
		return s.of(&envspec.Ready{Exec: s.check(s.path("plain"))}, fileLayer(s.path("plain"), strconv.Itoa(version)))
	}
	source := func(url string) providers.Node {
		src := s.fetched()
		src.URL += url
		return s.of(nil, guestproto.Layer{Kind: "file", Name: s.path("fetched"), File: &guestproto.File{Source: src}})
	}
	return providertest.Nodes{
		Plain: plain, Carrying: plain,
		Costly: func(string) providers.Node { return source("") },
		NeverReady: func(_ string, patience time.Duration) providers.Node {
			return s.of(&envspec.Ready{Exec: s.refuse(s.path("secret")), StartPeriod: patience})
		},
		Broken: func(string) providers.Node {
			return s.of(nil, fileLayer(s.path("plain"), "1"), s.script("broken", s.fails))
		},
		SlowPrepare: func(string) providers.Node { return source("/slow") },
		SlowApply:   func(string) providers.Node { return s.of(nil, s.script("slow", s.hangs)) },
	}
}

// observe asks for the one machine, however its layers are to be.
func (s stacks) observe(p *Provider) func(context.Context, providers.Instance) ([]providers.Observed, error) {
	return func(ctx context.Context, i providers.Instance) ([]providers.Observed, error) {
		return p.Observe(ctx, i, []*envspec.Machine{s.machine()})
	}
}

// left lists the files of the helper, with what stands in the manifest, and those of the layers.
func (s stacks) left(i providers.Instance, helpers, layers string) ([]string, error) {
	manifest, err := os.ReadFile(filepath.Join(helpers, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		manifest, err = nil, nil
	}
	if err != nil || len(manifest) > 0 && !bytes.Contains(manifest, []byte(strconv.Quote(i.ID))) {
		return nil, err // another instance has the machine
	}
	left := []string{string(manifest)}
	for _, dir := range []string{helpers, layers} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if path != dir && err == nil {
				left = append(left, fmt.Sprint(path, " ", d.Type()))
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return slices.DeleteFunc(left, func(s string) bool { return s == "" }), nil
}

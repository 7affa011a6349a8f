package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/providertest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Suite{World: contractWorld})
}

// contractWorld is two instances of one environment on the real engine, each with its network.
func contractWorld(t *testing.T) *providertest.World {
	ours := newWorld(t)
	other := ours.instance
	other.ID += "-other"
	theirs := worldOf(t, ours.p, other)
	return &providertest.World{
		Provider: ours.p, Instance: ours.instance, Stranger: theirs.instance,
		Observe: func(ctx context.Context, i providers.Instance) ([]providers.Observed, error) {
			all, err := ours.p.Observe(ctx, i)
			for n, o := range all {
				if len(o.Carried) > 0 {
					all[n].Mutable = hashed(string(o.Carried[carried]))
				}
			}
			return all, err
		},
		Left:  ours.readable,
		Nodes: contractNodes(),
		Commands: providertest.Commands{
			Exit:  func(code int) []string { return script("exit " + strconv.Itoa(code)) },
			Codes: []int{0, 1, 3, 126, 127, 137, 255},
			Say: func(stdout, stderr string) []string {
				return script("echo '" + stdout + "'; echo '" + stderr + "' >&2")
			},
			Env:   func(name string) []string { return script(`echo "$` + name + `"`) },
			Where: []string{"pwd"}, Folder: "/usr/lib",
			Cat:  []string{"cat"},
			Hang: []string{"sleep", "600"},
		},
	}
}

// readable lists the containers, networks and volumes of an instance with what anybody who lists them sees.
func (w *world) readable(ctx context.Context, i providers.Instance) ([]string, error) {
	things, err := w.p.Leftovers(ctx, i)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, t := range things {
		if t.Kind != "image" { // kept for the next time
			left = append(left, fmt.Sprintf("%+v", t))
		}
	}
	containers, err := w.p.api.ContainerList(ctx, container.ListOptions{All: true, Filters: instanceFilter(i)})
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		left = append(left, fmt.Sprintln(c.ID, c.Names, c.Image, c.Command, slices.Sorted(maps.Values(c.Labels))))
	}
	return left, nil
}

const carried = "/etc/carried"

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func script(text string) []string { return []string{"/bin/sh", "-c", text} }

// said has a script write what nodes write, and leave word that it did.
const said = `echo "$LAST" >&2; printf "$LINES"; echo "$PASSWORD" > /said; `

func contractNodes() providertest.Nodes {
	// speaks is a container that writes its log before it goes on.
	speaks := func(name, rest string) *envspec.Container {
		c := shell(name, said+rest)
		c.Env = map[string]secret.Text{
			"PASSWORD": {Value: providertest.Secret, Sensitive: true},
			"LAST":     secret.Plain(providertest.LogSays),
			"LINES":    secret.Plain(strings.Join(providertest.Lines(), "\n") + "\n"),
		}
		c.Files = []envspec.File{{Path: "/run/secrets/password", Content: c.Env["PASSWORD"]}}
		c.Ready = &envspec.Ready{Exec: []string{"test", "-s", "/said"}}
		return c
	}
	stays := func(name string) *envspec.Container { return speaks(name, "exec sleep 600") }
	of := func(c *envspec.Container, version int) providers.Node {
		n := node(c, c.Addr.Name+"-"+strconv.Itoa(version))
		n.Parts = map[string]string{"image": base, "version": strconv.Itoa(version)}
		return n
	}
	built := func(name, run string) providers.Node {
		c := stays(name)
		c.Image = ""
		c.Build = &envspec.Build{Inline: "FROM " + base + "\nARG PASSWORD\nRUN " + run + "\n",
			Args: map[string]secret.Text{"PASSWORD": c.Env["PASSWORD"]}}
		return of(c, 1)
	}
	return providertest.Nodes{
		Plain: func(name string, version int) providers.Node { return of(stays(name), version) },
		Costly: func(name string) providers.Node {
			return built(name, `echo "`+name+` has $PASSWORD" > /built; cat /built`)
		},
		Carrying: func(name string, version int) providers.Node {
			c, content := stays(name), strconv.Itoa(version)
			c.Files = append(c.Files, envspec.File{Path: carried, Content: secret.Plain(content), Mutable: true})
			n := of(c, 1)
			n.Mutable = hashed(content)
			return n
		},
		NeverReady: func(name string, patience time.Duration) providers.Node {
			c := stays(name)
			c.Ready = &envspec.Ready{Exec: script("echo " + providertest.CheckSays + "; echo $PASSWORD; exit 1"), StartPeriod: patience}
			return of(c, 1)
		},
		Dies: func(name string) providers.Node {
			c := speaks(name, "echo it dies with $PASSWORD; exit 3")
			c.Ready = &envspec.Ready{Exec: []string{"false"}}
			return of(c, 1)
		},
		Broken: func(name string) providers.Node {
			c := stays(name)
			c.Command, c.Init = []string{"/no/such/program"}, false
			return of(c, 2)
		},
		SlowPrepare: func(name string) providers.Node { return built(name, "sleep 600") },
		SlowRemove: func(name string) providers.Node {
			c := speaks(name, "trap '' TERM; while :; do sleep 1; done")
			c.StopGrace = 10 * time.Minute
			return of(c, 1)
		},
	}
}

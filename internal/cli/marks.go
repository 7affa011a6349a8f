package cli

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

// marks are, by container, labels that say which version of which credential went into it. With them a lost
// credential store is noticed, where a new password would lock everyone out of what knows only the old one.
type marks map[addr.Addr]map[string]string

const credentialMeta = "credential."

// markCredentials finds the stand-ins of credentials in bodies made with them.
func (s *session) markCredentials(ctx context.Context, bodies map[addr.Addr]any) (marks, error) {
	labels := map[string]string{} // by stand-in
	names := map[string]string{}
	add := func(name string, v credential.Version) error {
		text, err := json.Marshal(v)
		standIn := credential.StandIn(name, v.ID)
		labels[standIn], names[standIn] = string(text), name
		return err
	}
	for _, c := range s.spec.Credentials() {
		v, err := s.secrets.Version(ctx, c.Name)
		if err != nil {
			return nil, err
		}
		if err := add(c.Name, v); err != nil {
			return nil, err
		}
	}
	if s.net.Logins() != "" {
		if err := add(proxyLogin, s.netLogin); err != nil {
			return nil, err
		}
	}
	m := marks{}
	for a, body := range bodies {
		c, ok := body.(*envspec.Container)
		if !ok {
			continue
		}
		if a.Kind == addr.Sandbox {
			v, _, err := s.identities.plan(a.Sibling(addr.Windows))
			if err != nil {
				return nil, err
			}
			if err := add(a.String(), v); err != nil {
				return nil, err
			}
		}
		for standIn, label := range labels {
			if a.Kind != addr.Gateway && holds(c, standIn) {
				if m[a] == nil {
					m[a] = map[string]string{}
				}
				m[a][docker.MetaPrefix+credentialMeta+names[standIn]] = label
			}
		}
	}
	return m, nil
}

func holds(c *envspec.Container, text string) bool {
	for _, v := range c.Env {
		if strings.Contains(v.Reveal(), text) {
			return true
		}
	}
	for _, f := range c.Files {
		if strings.Contains(f.Content.Reveal(), text) {
			return true
		}
	}
	if c.Egress != nil {
		for _, v := range c.Egress.Proxies {
			if strings.Contains(v.Reveal(), text) {
				return true
			}
		}
	}
	if c.Build != nil {
		for _, values := range []map[string]secret.Text{c.Build.Args, c.Build.Secrets} {
			for _, v := range values {
				if strings.Contains(v.Reveal(), text) {
					return true
				}
			}
		}
	}
	return false
}

// put adds the labels to bodies, which are the run's own.
func (m marks) put(bodies map[addr.Addr]any) {
	for a, labels := range m {
		if c, ok := bodies[a].(*envspec.Container); ok {
			all := maps.Clone(c.Labels)
			if all == nil {
				all = map[string]string{}
			}
			maps.Copy(all, labels)
			c.Labels = all
		}
	}
}

// nameMarks gives the labels, where they are among the parts of nodes, names that a person knows.
func nameMarks(nodes []providers.Node) {
	for _, n := range nodes {
		for part, text := range n.Parts {
			if name, ok := strings.CutPrefix(part, "labels."+docker.MetaPrefix+credentialMeta); ok {
				delete(n.Parts, part)
				n.Parts["credential."+name] = text
			}
		}
	}
}

// readMarks reads the labels back.
func readMarks(meta map[string]string, into map[string]credential.Version) {
	for name, text := range meta {
		credentialName, ok := strings.CutPrefix(name, credentialMeta)
		var v credential.Version
		if ok && json.Unmarshal([]byte(text), &v) == nil {
			into[credentialName] = v
		}
	}
}

// version reads which version of a credential a container has.
func version(meta map[string]string, name string) (credential.Version, bool) {
	all := map[string]credential.Version{}
	readMarks(meta, all)
	v, ok := all[name]
	return v, ok
}

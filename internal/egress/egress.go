// Package egress knows how traffic leaves a corporate network: through a proxy, and past one that opens TLS and
// signs it again with a CA of the company's own. It says what containers, builds and our own clients need for that, and
// recognises a failure that looks as if such a proxy were in between. Where the settings come from is left to others.
package egress

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/secret"
)

// Settings is what is needed to get out. A nil *Settings needs nothing.
type Settings struct {
	// CA has the certificates to trust beside the usual ones, as ParseCA gives them; "" is none.
	CA string
	// Proxies are URLs by the variable that programs look for: HTTP_PROXY, HTTPS_PROXY, FTP_PROXY, ALL_PROXY. One that
	// holds a login is sensitive.
	Proxies map[string]secret.Text
	// NoProxy are the names, domains and addresses that somebody asked to be reached directly.
	NoProxy []string
	// Direct are further ones that no proxy knows: the names of wires. They make a container no other.
	Direct []string
}

// always are the names of the computer or container itself, and of the host as containers know it.
var always = []string{"localhost", "127.0.0.1", "::1", "host.docker.internal"}

// WithDirect gives a copy with further names that no proxy knows.
func (s *Settings) WithDirect(names ...string) *Settings {
	if s == nil {
		return nil
	}
	c := *s
	c.Direct = append(slices.Clone(s.Direct), names...)
	return &c
}

// NoProxyList is the value of NO_PROXY.
func (s *Settings) NoProxyList() string {
	list := append(slices.Clone(s.NoProxy), append(slices.Clone(s.Direct), always...)...)
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ",")
}

// ProxyEnv gives the variables that make programs use the proxies, in both cases, since some know only one.
func (s *Settings) ProxyEnv() map[string]secret.Text {
	env := map[string]secret.Text{}
	if s == nil || len(s.Proxies) == 0 {
		return env
	}
	maps.Copy(env, s.Proxies)
	env["NO_PROXY"] = secret.Plain(s.NoProxyList())
	for name, v := range maps.Clone(env) {
		env[strings.ToLower(name)] = v
	}
	return env
}

// Secrets are the words that must not be shown: each proxy's URL where it holds a login, and its password however
// it is written.
func (s *Settings) Secrets() []secret.Text {
	if s == nil {
		return nil
	}
	var list []secret.Text
	for _, v := range s.Proxies {
		if !v.Sensitive {
			continue
		}
		list = append(list, v)
		if u, err := url.Parse(v.Reveal()); err == nil && u.User != nil {
			plain, _ := u.User.Password()
			_, written, _ := strings.Cut(u.User.String(), ":")
			list = append(list, secret.Text{Value: plain, Sensitive: true}, secret.Text{Value: written, Sensitive: true})
		}
	}
	return list
}

// ProxyURL reads a proxy's address; ok is false for what is none. What is wrong is not said, as it may hold a password.
func ProxyURL(text string) (proxy secret.Text, ok bool) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return secret.Text{}, false
	}
	return secret.Text{Value: text, Sensitive: u.User != nil}, true
}

// Replace gives a copy whose logins are what stands for them: stand is put in place of each password.
func (s *Settings) Replace(stand string) *Settings {
	if s == nil {
		return nil
	}
	c := *s
	c.Proxies = map[string]secret.Text{}
	for name, v := range s.Proxies {
		if u, err := url.Parse(v.Reveal()); err == nil && v.Sensitive {
			u.User = url.UserPassword(u.User.Username(), stand)
			v.Value = u.String()
		}
		c.Proxies[name] = v
	}
	return &c
}

// Logins is all that is secret in the proxies, in one text: another text is another login. "" is none.
func (s *Settings) Logins() string {
	var b strings.Builder
	if s != nil {
		for _, name := range slices.Sorted(maps.Keys(s.Proxies)) {
			if s.Proxies[name].Sensitive {
				b.WriteString(name + "=" + s.Proxies[name].Reveal() + "\n")
			}
		}
	}
	return b.String()
}

// loopback reports whether a host's name or address is the computer itself.
func loopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// Inside gives the settings as containers need them: a proxy on this computer's loopback is at host.docker.internal there.
func (s *Settings) Inside() *Settings {
	if s == nil {
		return nil
	}
	c := *s
	c.Proxies = map[string]secret.Text{}
	for name, v := range s.Proxies {
		if u, err := url.Parse(v.Reveal()); err == nil && loopback(u.Hostname()) {
			u.Host = strings.TrimSuffix("host.docker.internal:"+u.Port(), ":")
			v.Value = u.String()
		}
		c.Proxies[name] = v
	}
	return &c
}

package composeimport

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/envctl/envctl/internal/lazyregexp"
)

var (
	hostPort   = lazyregexp.New(`[A-Za-z0-9][A-Za-z0-9._-]*:\d{1,5}`)
	hostInURL  = lazyregexp.New(`([a-z][a-z0-9]*)(?:\+[a-z0-9]+)?://(?:[^/@\s"']*@)?([A-Za-z0-9][A-Za-z0-9._-]*)`)
	hostWord   = lazyregexp.New(`(?i)(HOST|SERVER|ADDR|ENDPOINT|URL|URI|BROKER|CONNECT|PEER)|^command$|^entrypoint$`)
	hostSuffix = lazyregexp.New(`(?i)(^|_)(HOST|HOSTNAME|SERVER|ADDR|ADDRESS|ENDPOINT|URL|URI|SEEDS|BROKERS?|HOSTS)$`)
)

const (
	beforeAddress = "/@,;= \t\n(\"'[" // what may stand before HOST:PORT
	afterAddress  = "/?#,;& \t\n)\"'|]\\"
)

// host finds the service that a name means to another.
func (im *importer) host(from *service, name string) *service {
	if name == "" {
		return nil
	}
	for _, link := range from.Links {
		if to, alias, ok := strings.Cut(link, ":"); ok && alias == name {
			return im.byName[to]
		}
	}
	if s := im.byName[name]; s != nil {
		return s
	}
	for _, s := range im.services {
		if s.ContainerName == name {
			return s
		}
		for _, n := range s.Networks {
			if n == nil {
				continue
			}
			for _, alias := range n.Aliases {
				if alias == name {
					return s
				}
			}
		}
	}
	return nil
}

// reference writes a reference from one service to another's port. Where the two would wait for each
// other it keeps the wire and drops the order.
func (im *importer) reference(from, to *service, guest uint32, what, why string) string {
	p := to.port(guest, why)
	code := fmt.Sprintf("container.%s.port.%s.%s", to.name, p.name, what)
	if im.reaches(to.Name, from.Name) {
		return "unordered(" + code + ")"
	}
	im.edges[from.Name][to.Name] = true
	return code
}

// refer replaces the addresses of other services in a text. What may be one, but is not certain, is in
// the notes.
func (im *importer) refer(from *service, t text, name string) (text, []string) {
	var notes []string
	out := text{exprs: t.exprs}
	var b strings.Builder
	last := 0
	why := "known from " + name + " of " + from.Name
	for _, at := range hostPort.FindAllStringIndex(t.s, -1) {
		host, number, _ := strings.Cut(t.s[at[0]:at[1]], ":")
		to := im.host(from, host)
		guest, err := strconv.ParseUint(number, 10, 16)
		if to == nil || to == from || err != nil || guest == 0 || !borders(t.s, at) {
			continue
		}
		inURL := strings.Contains(t.s[:at[0]], "://") || at[0] > 0 && t.s[at[0]-1] == '@'
		switch {
		case cannot(from, to) != "":
			notes = append(notes, mark+cannot(from, to))
		case inURL || to.listens(uint32(guest)) || guest >= 1024 && hostWord.MatchString(name):
			ref := im.reference(from, to, uint32(guest), "address", why)
			b.WriteString(t.s[last:at[0]] + out.add(expr{code: ref, value: t.s[at[0]:at[1]]}))
			last = at[1]
		default:
			notes = append(notes, mark+fmt.Sprintf("%s may be the address of container.%s; if so, declare its port %d and refer to that", t.s[at[0]:at[1]], to.name, guest))
		}
	}
	out.s = b.String() + t.s[last:]
	b.Reset()
	last = 0
	for _, m := range hostInURL.FindAllStringSubmatchIndex(out.s, -1) {
		scheme, host := out.s[m[2]:m[3]], out.s[m[4]:m[5]]
		to := im.host(from, host)
		if to == nil || to == from || m[1] < len(out.s) && !strings.ContainsRune(afterAddress, rune(out.s[m[1]])) {
			continue
		}
		guest := schemePorts[scheme]
		switch {
		case cannot(from, to) != "":
			notes = append(notes, mark+cannot(from, to))
		case guest != 0 && to.listens(guest):
			ref := im.reference(from, to, guest, "address", why)
			b.WriteString(out.s[last:m[4]] + out.add(expr{code: ref, value: host}))
			last = m[5]
		default:
			notes = append(notes, mark+host+" is container."+to.name+", but its port is not certain; declare it and refer to that")
		}
	}
	out.s = b.String() + out.s[last:]
	return out, notes
}

// borders reports whether what stands around a match can stand around an address.
func borders(s string, at []int) bool {
	if at[0] > 0 && !strings.ContainsRune(beforeAddress, rune(s[at[0]-1])) {
		return false
	}
	return at[1] == len(s) || strings.ContainsRune(afterAddress, rune(s[at[1]]))
}

// bareHost handles a variable whose whole value is another service's name, such as DB_HOST: db, and its
// companion DB_PORT. It changes values and gives the note where nothing is certain.
func (im *importer) bareHost(s *service, values map[string]text, name string) string {
	t := values[name]
	to := im.host(s, t.s)
	if to == nil || to == s || !hostSuffix.MatchString(name) {
		return ""
	}
	if why := cannot(s, to); why != "" {
		return mark + why
	}
	stem := hostSuffix.ReplaceAllString(name, "$1")
	companion := stem + "PORT"
	var guest uint32
	if p, ok := values[companion]; ok && companion != name {
		if n, err := strconv.ParseUint(p.plain(), 10, 16); err == nil && n > 0 {
			guest = uint32(n)
		}
	}
	if guest == 0 {
		guest = to.sole()
	}
	if guest == 0 {
		return mark + t.s + " is container." + to.name + ", but its port is not certain; declare it and refer to its .host"
	}
	why := "known from " + name + " of " + s.Name
	var host text
	host.s = host.add(expr{code: im.reference(s, to, guest, "host", why), value: t.s})
	values[name] = host
	if p, ok := values[companion]; ok && companion != name && len(p.exprs) == 0 && p.s == strconv.Itoa(int(guest)) {
		var number text
		number.s = number.add(expr{code: im.reference(s, to, guest, "port", why), value: p.s})
		values[companion] = number
	}
	return ""
}

// sole gives the one tcp port that a service listens on, or 0.
func (s *service) sole() uint32 {
	if usual := s.usual(); usual != 0 {
		return usual
	}
	var found uint32
	for _, p := range s.ports {
		if p.protocol == "udp" {
			continue
		}
		if found != 0 {
			return 0
		}
		found = p.guest
	}
	return found
}

package envspec

import (
	"net"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/addr"
)

// addressPart gives one of address, host, port and url.
func addressPart(part, host string, port int, scheme string) cty.Value {
	switch part {
	case "host":
		return cty.StringVal(host)
	case "port":
		return cty.NumberIntVal(int64(port))
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	if part == "url" {
		address = scheme + "://" + address
	}
	return cty.StringVal(address)
}

// addressParts gives address, host, port and, where there is a scheme, url.
func addressParts(host string, port int, scheme string) map[string]cty.Value {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	parts := map[string]cty.Value{
		"address": cty.StringVal(address),
		"host":    cty.StringVal(host),
		"port":    cty.NumberIntVal(int64(port)),
	}
	if scheme != "" {
		parts["url"] = cty.StringVal(scheme + "://" + address)
	}
	return parts
}

// standIn gives addresses and credentials of the right shape while a spec is only checked.
type standIn struct{ spec *Spec }

// Address implements Addresses.
func (s standIn) Address(from addr.Addr, to addr.Endpoint) (string, int) {
	guest := s.spec.endpoints[to].Guest
	if from.IsHost() || from.Kind == addr.Windows || from == to.Addr {
		return "127.0.0.1", guest
	}
	return to.Addr.DNS(), guest
}

// Credential implements Credentials.
func (s standIn) Credential(name string) (CredentialValue, error) {
	for _, c := range s.spec.sources {
		if c.Name == name && c.Username != "" {
			return CredentialValue{Username: c.Username, Password: "password"}, nil
		}
	}
	return CredentialValue{Username: "username", Password: "password"}, nil
}

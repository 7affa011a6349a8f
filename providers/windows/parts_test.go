package windows

import (
	"fmt"
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

func TestPartsOfALayer(t *testing.T) {
	l := guestproto.Layer{Kind: "registry", Name: `HKLM\X`, Registry: &guestproto.Registry{Values: map[string]guestproto.RegistryValue{
		"DbPort": {Type: "dword", Value: secret.Plain("5432")},
		"Token":  {Type: "sz", Value: secret.Text{Value: "pl4nted", Sensitive: true}},
		"List":   {Type: "multi_sz", Items: []secret.Text{secret.Plain("a"), {Value: "pl4nted", Sensitive: true}}},
		"Long":   {Type: "sz", Value: secret.Plain(strings.Repeat("x", 49))},
	}}}
	l.Registry.Values["sensitive"] = guestproto.RegistryValue{Type: "sz", Value: secret.Plain("no")}
	l.Registry.Values["value"] = guestproto.RegistryValue{Type: "sz", Value: secret.Plain("v")}
	is := HashLayers([]guestproto.Layer{l})[0].Parts
	if is["values.sensitive"] != "no" || is["values.value"] != "v" {
		t.Errorf("parts %v", is)
	}
	env := HashLayers([]guestproto.Layer{{Kind: "env", Name: "A", Env: &guestproto.Env{Value: secret.Plain("1")}},
		{Kind: "service", Name: "s", Service: &guestproto.Service{Env: map[string]secret.Text{"value": secret.Plain("2")}}}})
	if env[0].Parts["value"] != "1" || env[1].Parts["env.value"] != "2" {
		t.Errorf("parts %v, %v", env[0].Parts, env[1].Parts)
	}
	if is["values.DbPort"] != "5432" || is["values.List.items[0]"] != "a" || is["values.DbPort.type"] != "dword" {
		t.Errorf("parts %v", is)
	}
	for _, name := range []string{"values.Token", "values.List.items[1]", "values.Long"} {
		if !strings.HasPrefix(is[name], "sha256:") {
			t.Errorf("%s is %q", name, is[name])
		}
	}
	if strings.Contains(fmt.Sprint(is), "pl4nted") {
		t.Errorf("a secret in %v", is)
	}
}

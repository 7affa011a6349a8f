package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/addr"
)

func TestWhatANameMeans(t *testing.T) {
	all := []addr.Addr{
		{Kind: addr.Container, Name: "db"},
		{Kind: addr.Container, Name: "node", Key: "a"},
		{Kind: addr.Container, Name: "node", Key: "b"},
		{Kind: addr.Container, Name: "both"},
		{Kind: addr.Job, Name: "both"},
		{Template: "shop", Kind: addr.Container, Name: "web"},
		{Template: "depot", Kind: addr.Container, Name: "web"},
		{Kind: addr.Gateway, Name: "pas"},
		{Kind: addr.Windows, Name: "pas"},
	}
	const several = "give the whole address"
	for name, want := range map[string]struct{ one, all string }{
		"db":                          {"[container.db]", "[container.db]"},
		"container.db":                {"[container.db]", "[container.db]"},
		"node":                        {several, `[container.node["a"] container.node["b"]]`},
		"container.node":              {several, `[container.node["a"] container.node["b"]]`},
		`container.node["a"]`:         {`[container.node["a"]]`, `[container.node["a"]]`},
		"container.node[a]":           {`[container.node["a"]]`, `[container.node["a"]]`},
		"both":                        {several, several},
		"job.both":                    {"[job.both]", "[job.both]"},
		"web":                         {several, several},
		"template.shop.container.web": {"[template.shop.container.web]", "[template.shop.container.web]"},
		"pas":                         {"[windows.pas]", "[windows.pas]"},
		"gateway.pas":                 {"[gateway.pas]", "[gateway.pas]"},
		"nod":                         {`there is no "nod" here`, `there is no "nod" here`},
	} {
		one, err := pick(all, name)
		if got := meant([]addr.Addr{one}, err); !strings.Contains(got, want.one) {
			t.Errorf("pick %q: %s, want %s", name, got, want.one)
		}
		several, err := pickAll(all, name)
		if got := meant(several, err); !strings.Contains(got, want.all) {
			t.Errorf("pickAll %q: %s, want %s", name, got, want.all)
		}
	}
}

func meant(found []addr.Addr, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(found)
}

package addr

import "testing"

func TestDNS(t *testing.T) {
	for text, want := range map[string]string{
		"container.db":                      "db",
		`container.node["a"]`:               "node-a",
		`container.node["A.b__c"]`:          "node-a-b-c",
		`container.my_app["ä"]`:             "my-app",
		`container.x["--"]`:                 "x",
		`template.a.template.b.container.x`: "a-b-x",
		"sandbox.pas":                       "pas-sandbox",
		"gateway.pas":                       "pas",
		`container._["é"]`:                  "",
	} {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.DNS(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

package winrm

import "testing"

func TestDecodeCLIXML(t *testing.T) {
	const ns = ` Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"`
	progress := `<Objs` + ns + `><Obj S="progress" RefId="0"><TN RefId="0"><T>System.Object</T></TN><MS><I64 N="SourceId">1</I64><PR N="Record"><AV>Preparing modules</AV><S>x</S></PR></MS></Obj></Objs>`
	for name, tt := range map[string]struct{ in, want string }{
		"plain":             {"oops\r\n", "oops\r\n"},
		"empty":             {"", ""},
		"errors":            {"#< CLIXML\r\n<Objs" + ns + `><S S="Error">a &amp; b_x000D__x000A_</S><S S="Error">at line:1_x000D__x000A_</S></Objs>`, "a & b\r\nat line:1\r\n"},
		"progress only":     {"#< CLIXML\r\n" + progress, ""},
		"several documents": {"#< CLIXML\r\n" + progress + `<Objs` + ns + `><S S="warning">w</S></Objs>` + "\r\n" + `<Objs` + ns + `><S S="Error">e</S></Objs>`, "we"},
		"text around":       {"before\n#< CLIXML\n<Objs" + ns + `><S S="Error">e</S></Objs>` + "after", "before\neafter"},
		"surrogates":        {"#< CLIXML\n<Objs" + ns + `><S S="Error">_xD83D__xDE42_ _x005F_x000D_ _xZZZZ_</S></Objs>`, "🙂 _x000D_ _xZZZZ_"},
		"cut short":         {"#< CLIXML\r\n<Objs" + ns + `><S S="Error">a`, `<Objs` + ns + `><S S="Error">a`},
		"broken":            {"#< CLIXML\r\n<Objs" + ns + `><S>a</T></Objs>`, `<Objs` + ns + `><S>a</T></Objs>`},
	} {
		if got := DecodeCLIXML(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

package windows

import "testing"

func TestCommandLine(t *testing.T) {
	for want, args := range map[string][]string{
		`a b`:                {"a", "b"},
		`"" x`:               {"", "x"},
		`"a b"`:              {"a b"},
		`C:\dir\ x`:          {`C:\dir\`, "x"},
		`"C:\my dir\\" x`:    {`C:\my dir\`, "x"},
		`"say \"hi\""`:       {`say "hi"`},
		`"back\\\"slash"`:    {`back\"slash`},
		`"two\\ spaces\\\\"`: {`two\\ spaces\\`},
		"\"tab\there\"":      {"tab\there"},
		`%PATH% & |`:         {"%PATH%", "&", "|"},
	} {
		if got := commandLine(args); got != want {
			t.Errorf("commandLine(%q) = %s, want %s", args, got, want)
		}
	}
	if got, want := inFolder(`C:\my dir`, `x "a & b"`), `cmd.exe /d /s /c "cd /d ^"C:\my dir^" && x ^"a ^& b^""`; got != want {
		t.Errorf("inFolder gives %s, want %s", got, want)
	}
}

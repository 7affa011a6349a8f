package guest

import (
	"archive/zip"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

func TestVaultLayer(t *testing.T) {
	const target = "envctl-test:login"
	if err := writeCredential(target, vaultSaved{Username: "old", Blob: []byte("o\x00"), Persist: credLocalMachine}); err != nil {
		t.Fatal(err)
	}
	m := windowsMachine(t)
	l := guestproto.Layer{Kind: "vault", Name: target, Vault: &guestproto.Vault{Username: "new", Password: hidden(planted)}}
	mustApply(t, m, 0, l, guestproto.Layer{Kind: "vault", Name: target + "2", Vault: &guestproto.Vault{Username: "u", Password: hidden("p4ssw0rd")}})
	if c, err := readCredential(target); err != nil || c.Username != "new" || string(c.Blob)+"\x00\x00" != string(utf16z(planted)) {
		t.Errorf("it holds %+v (%v)", c, err)
	}
	noSecretUnder(t, m.Dir)
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	if err := writeCredential(target, vaultSaved{Username: "else", Blob: []byte(older), Persist: credLocalMachine}); err != nil {
		t.Fatal(err)
	}
	differ(t, m, l, "username: new -> else", "password: (sensitive) -> (sensitive, changed)")
	mustApply(t, m, 0)
	if c, err := readCredential(target); err != nil || c.Username != "old" || string(c.Blob) != "o\x00" {
		t.Errorf("it came back as %+v (%v)", c, err)
	}
	if c, err := readCredential(target + "2"); err != nil || c.Had {
		t.Errorf("it is left: %+v (%v)", c, err)
	}
}

func TestVaultErrorSaysWhatANetworkLogonIs(t *testing.T) {
	if err := vaultError(windows.Errno(1312)); !strings.Contains(err.Error(), "network logon") {
		t.Error(err)
	}
}

func TestODBCLayer(t *testing.T) {
	m := windowsMachine(t)
	l := guestproto.Layer{Kind: "odbc", Name: "envctl-test", ODBC: &guestproto.ODBC{Driver: "Test Driver",
		Attributes: map[string]secret.Text{"Server": secret.Plain("127.0.0.1"), "Pwd": hidden(planted)}}}
	if _, err := applied(t, m, 0, l); err == nil || !strings.Contains(err.Error(), `no 64-bit ODBC driver "Test Driver"`) {
		t.Errorf("err %v", err)
	}
	mustApply(t, m, 0)
	const driver = `SOFTWARE\ODBC\ODBCINST.INI\Test Driver`
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, driver, registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	defer deleteTree(registry.LOCAL_MACHINE, driver, registry.WOW64_64KEY)
	k.SetStringValue("Driver", `C:\test\driver.dll`)
	k.Close()
	mustApply(t, m, 0, l)
	source, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\ODBC\ODBC.INI\envctl-test`, registry.QUERY_VALUE)
	if err != nil {
		t.Fatal(err)
	}
	if v, _, _ := source.GetStringValue("Driver"); v != `C:\test\driver.dll` {
		t.Errorf("its driver is %q", v)
	}
	source.Close()
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	setByHand(t, `SOFTWARE\ODBC\ODBC.INI\envctl-test`, "Server", "elsewhere")
	setByHand(t, `SOFTWARE\ODBC\ODBC.INI\envctl-test`, "Pwd", older)
	setByHand(t, `SOFTWARE\ODBC\ODBC.INI\ODBC Data Sources`, "envctl-test", "Another Driver")
	differ(t, m, l, "attributes.Pwd: (sensitive) -> (sensitive, changed)", "attributes.Server: 127.0.0.1 -> elsewhere", "driver: Test Driver -> Another Driver")
	mustApply(t, m, 0)
	if _, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\ODBC\ODBC.INI\envctl-test`, registry.QUERY_VALUE); !errors.Is(err, registry.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
}

func TestAppLayerRunsAndComesBack(t *testing.T) {
	m := windowsMachine(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	app := guestproto.Layer{Kind: "app", Name: "web app", App: &guestproto.App{Command: exe,
		Env: map[string]secret.Text{"GUEST_TEST_CHILD": secret.Plain("web"), "GUEST_TEST_ARG": hidden(planted)}}}
	mustApply(t, m, 0, app)
	answers := func() bool {
		resp, err := http.Get("http://127.0.0.1:18081/")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.Header.Get("Arg") == planted
	}
	eventually(t, "the app answers", answers)
	noSecretUnder(t, m.Dir)
	http.Get("http://127.0.0.1:18081/die")
	eventually(t, "the app is back", answers)
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted: %v", d)
	}
	service := appPlaces(m, "web app").Service
	if out, err := exec.Command("net", "stop", service).CombinedOutput(); err != nil {
		t.Fatalf("net stop: %v %s", err, out)
	}
	startByHand(t, service)
	differ(t, m, app, "startup: auto -> manual", "state: running -> stopped")
	mustApply(t, m, 0)
	if answers() {
		t.Error("the app goes on")
	}
	if _, err := os.Stat(filepath.Join(m.Dir, "apps", "x")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(m.Dir, "apps")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestAppWithADesktopIsRefused(t *testing.T) {
	m := windowsMachine(t)
	_, err := applied(t, m, 0, guestproto.Layer{Kind: "app", Name: "gui", App: &guestproto.App{Command: "x", Session: "interactive"}})
	if !strings.Contains(err.Error(), "logged on") {
		t.Error(err)
	}
	mustApply(t, m, 0)
}

func TestScriptLayerWithCmd(t *testing.T) {
	m := windowsMachine(t)
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	undo := secret.Plain(`del "` + made + `"`)
	l := guestproto.Layer{Kind: "script", Name: "seed", Script: &guestproto.Script{Interpreter: "cmd", Creates: made, Undo: &undo,
		Run: secret.Plain("@echo off\necho the token is %TOKEN%\necho problem 1>&2\necho x> \"" + made + "\""),
		Env: map[string]secret.Text{"TOKEN": hidden(planted)}}}
	events := mustApply(t, m, 0, l)
	if !strings.Contains(events, "log script.seed the token is (sensitive)\n") || !strings.Contains(events, "log script.seed problem\n") {
		t.Errorf("events:\n%s", events)
	}
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	os.Remove(made)
	if d := driftOf(t, m); !strings.Contains(d["script.seed"], "gone") {
		t.Errorf("drifted: %v", d)
	}
	os.WriteFile(made, nil, 0o600)
	mustApply(t, m, 0)
	if _, err := os.Stat(made); err == nil {
		t.Error("undo did not run")
	}
	if left, _ := os.ReadDir(filepath.Join(m.Dir, "run")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestScriptThatFails(t *testing.T) {
	m := windowsMachine(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		run, want string
		limit     int
	}{
		{"@echo why it fails\n@exit /b 3010", "exit code 3010: why it fails", 60},
		{`@"` + exe + `"`, "time limit of 1s", 1},
	} {
		l := guestproto.Layer{Kind: "script", Name: "x", Script: &guestproto.Script{Interpreter: "cmd", Timeout: test.limit,
			Run: secret.Plain(test.run), Env: map[string]secret.Text{"GUEST_TEST_CHILD": secret.Plain("hang")}}}
		if _, err := applied(t, m, 0, l); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.run, err)
		}
		mustApply(t, m, 0)
	}
}

func TestScriptUnless(t *testing.T) {
	m := windowsMachine(t)
	l := guestproto.Layer{Kind: "script", Name: "x", Script: &guestproto.Script{Interpreter: "cmd", Unless: "exit 0", Run: secret.Plain("exit /b 1")}}
	if events := mustApply(t, m, 0, l); !strings.Contains(events, "skipped") {
		t.Error(events)
	}
	mustApply(t, m, 0)
	l.Script.Unless = "exit 1"
	if _, err := applied(t, m, 0, l); err == nil {
		t.Error("it was skipped")
	}
	mustApply(t, m, 0)
}

func TestFileLayerPutsBackWhatWasThere(t *testing.T) {
	m := windowsMachine(t)
	dir := t.TempDir()
	had, fresh := filepath.Join(dir, "had.txt"), filepath.Join(dir, "new", "deep", "fresh.txt")
	if err := os.WriteFile(had, []byte("was"), 0o600); err != nil {
		t.Fatal(err)
	}
	content, plain := hidden(planted), secret.Plain("plain")
	secretly := guestproto.Layer{Kind: "file", Name: filepath.ToSlash(fresh), File: &guestproto.File{Content: &content}}
	openly := guestproto.Layer{Kind: "file", Name: filepath.Join(dir, "plain.txt"), File: &guestproto.File{Content: &plain}}
	mustApply(t, m, 0, guestproto.Layer{Kind: "file", Name: had, File: &guestproto.File{Content: &content}}, secretly, openly)
	for _, path := range []string{had, fresh} {
		if b, err := os.ReadFile(path); string(b) != planted {
			t.Errorf("%s has %q (%v)", path, b, err)
		}
	}
	noSecretUnder(t, m.Dir)
	os.WriteFile(fresh, []byte(older), 0o600)
	if d := driftOf(t, m); len(d) != 1 {
		t.Errorf("drifted: %v", d)
	}
	differ(t, m, secretly, "content: (sensitive) -> (sensitive, changed)")
	os.Remove(fresh)
	differ(t, m, secretly, "content: (sensitive) -> ")
	os.WriteFile(openly.Name, []byte("by hand"), 0o600)
	differ(t, m, openly, "content: "+guestproto.Digest("plain")+", 5 bytes -> "+guestproto.Digest("by hand")+", 7 bytes")
	mustApply(t, m, 0)
	if b, _ := os.ReadFile(had); string(b) != "was" {
		t.Errorf("it came back as %q", b)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder is left: %v", err)
	}
}

func TestUserLayer(t *testing.T) {
	m := windowsMachine(t)
	l := guestproto.Layer{Kind: "user", Name: "envctltest", User: &guestproto.User{Password: hidden(planted + "A1!")}}
	if events, err := applied(t, m, 0, l); err != nil {
		t.Fatalf("%v\n%s", err, events)
	}
	mustApply(t, m, 0)
	if exists, err := userExists("envctltest"); exists || err != nil {
		t.Errorf("the account is left (%v)", err)
	}
}

// makeZip makes an archive of names and contents.
func makeZip(t *testing.T, files map[string]string) string {
	path := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(content))
	}
	z.Close()
	f.Close()
	return path
}

func TestArchiveLayer(t *testing.T) {
	m := windowsMachine(t)
	base := t.TempDir()
	os.WriteFile(filepath.Join(base, "a.txt"), []byte("was"), 0o600)
	src := put(t, m, makeZip(t, map[string]string{"top/a.txt": "a", "top/sub/b.txt": "b", `top\sub\c.txt`: "c"}))
	l := guestproto.Layer{Kind: "archive", Name: base, Archive: &guestproto.Archive{Source: src, Strip: 1}}
	mustApply(t, m, 0, l)
	for name, want := range map[string]string{"a.txt": "a", `sub\b.txt`: "b", `sub\c.txt`: "c"} {
		if b, err := os.ReadFile(filepath.Join(base, name)); string(b) != want {
			t.Errorf("%s has %q (%v)", name, b, err)
		}
	}
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	os.WriteFile(filepath.Join(base, "a.txt"), []byte("A"), 0o600) // as long as it was
	os.Remove(filepath.Join(base, "sub", "b.txt"))
	differ(t, m, l, `a.txt: crc32:e8b7be43, 1 bytes -> crc32:d3d99e8b, 1 bytes`, `sub\b.txt: crc32:71beeff9, 1 bytes -> `)
	mustApply(t, m, 0)
	if b, _ := os.ReadFile(filepath.Join(base, "a.txt")); string(b) != "was" {
		t.Errorf("it came back as %q", b)
	}
	if left, _ := os.ReadDir(base); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestArchiveThatLeadsOut(t *testing.T) {
	for _, name := range []string{"../x", `..\x`, "a/../../x", "/x", `C:\x`, "x:stream", `\\server\share`} {
		m := windowsMachine(t)
		src := put(t, m, makeZip(t, map[string]string{"ok": "", name: "out"}))
		_, err := applied(t, m, 0, guestproto.Layer{Kind: "archive", Name: filepath.Join(t.TempDir(), "d"), Archive: &guestproto.Archive{Source: src}})
		if err == nil || !strings.Contains(err.Error(), "leads out") {
			t.Errorf("%s: %v", name, err)
		}
		mustApply(t, m, 0)
	}
}

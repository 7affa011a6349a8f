package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// assets is the folder that the test's driver filled.
func assets(t *testing.T) string {
	dir := os.Getenv("GUEST_TEST_ASSETS")
	if dir == "" {
		t.Skip("no GUEST_TEST_ASSETS: TestOverWine brings them")
	}
	return dir
}

// put places a file in the machine's cache, as an upload does.
func put(t *testing.T, m *Machine, path string) guestproto.Source {
	t.Helper()
	sum, err := fileSHA256(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := copyFile(path, guestproto.CacheFile(m.Dir, sum)); err != nil {
		t.Fatal(err)
	}
	return guestproto.Source{SHA256: sum, Name: filepath.Base(path)}
}

func packageLayer(t *testing.T, m *Machine) guestproto.Layer {
	return guestproto.Layer{Kind: "package", Name: "svc", Package: &guestproto.Package{Source: put(t, m, filepath.Join(assets(t), "svc.msi"))}}
}

func installed() bool {
	_, err := os.Stat(`C:\Program Files\EnvctlTest\svc.exe`)
	return err == nil
}

func serviceState(t *testing.T) svc.State {
	t.Helper()
	m, err := mgr.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Disconnect()
	s, err := m.OpenService("EnvctlTestSvc")
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	status, err := s.Query()
	if err != nil {
		t.Fatal(err)
	}
	return status.State
}

// answer is what the test's service says of a variable of its own.
func answer(t *testing.T, name string) string {
	t.Helper()
	resp, err := http.Get("http://127.0.0.1:18080/?name=" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

func TestPackageAndServiceLayers(t *testing.T) {
	m := windowsMachine(t)
	pkg := packageLayer(t, m)
	service := func(value string) guestproto.Layer {
		return guestproto.Layer{Kind: "service", Name: "EnvctlTestSvc", Service: &guestproto.Service{
			Startup: "auto", State: "running", Env: map[string]secret.Text{"TOKEN": hidden(value)}, Timeout: 20}}
	}
	mustApply(t, m, 0, pkg, service(planted))
	if !installed() || serviceState(t) != svc.Running {
		t.Fatalf("installed %v, service %v", installed(), serviceState(t))
	}
	if got := answer(t, "TOKEN"); got != planted {
		t.Errorf("the service sees %q", got)
	}
	noSecretUnder(t, m.Dir)
	if d := driftOf(t, m); len(d) != 0 {
		t.Errorf("drifted at once: %v", d)
	}
	if out, err := exec.Command("net", "stop", "EnvctlTestSvc").CombinedOutput(); err != nil {
		t.Fatalf("net stop: %v %s", err, out)
	}
	if d := driftOf(t, m); !strings.Contains(d["service.EnvctlTestSvc"], "stopped") {
		t.Errorf("drifted: %v", d)
	}
	startByHand(t, "EnvctlTestSvc") // Wine's sc cannot
	env := multiSZ([]secret.Text{secret.Plain("TOKEN=" + older)})
	if err := restoreServiceEnv("EnvctlTestSvc", &env); err != nil {
		t.Fatal(err)
	}
	differ(t, m, service(planted), "startup: auto -> manual", "state: running -> stopped", "env.TOKEN: (sensitive) -> (sensitive, changed)")

	// One whose process was ended is seen, and put right.
	mustApply(t, m, 1, pkg, service(planted))
	if out, err := exec.Command("taskkill", "/f", "/im", "svc.exe").CombinedOutput(); err != nil {
		t.Fatalf("taskkill: %v %s", err, out)
	}
	eventually(t, "the end of the process is seen", func() bool {
		return strings.Contains(driftOf(t, m)["service.EnvctlTestSvc"], "stopped")
	})
	mustApply(t, m, 1, pkg, service(planted))
	if got := answer(t, "TOKEN"); got != planted {
		t.Errorf("the service sees %q", got)
	}

	// Another value undoes and applies the service alone.
	events := mustApply(t, m, 1, pkg, service("another"))
	if strings.Contains(events, "package") || !strings.Contains(events, "undo service") {
		t.Errorf("events:\n%s", events)
	}
	if got := answer(t, "TOKEN"); got != "another" {
		t.Errorf("the service sees %q", got)
	}

	mustApply(t, m, 0)
	if installed() || serviceState(t) != 0 {
		t.Errorf("left behind: files %v, service %v", installed(), serviceState(t))
	}
}

// startByHand makes a service one that is started by hand.
func startByHand(t *testing.T, name string) {
	t.Helper()
	m, err := mgr.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Disconnect()
	s, err := m.OpenService(name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	is, err := readConfig(s)
	if err != nil {
		t.Fatal(err)
	}
	want := is
	want.StartType = mgr.StartManual
	if err := writeConfig(s, is, want, nil); err != nil {
		t.Fatal(err)
	}
}

func TestPackageThatIsNoPackage(t *testing.T) {
	m := windowsMachine(t)
	path := filepath.Join(t.TempDir(), "broken.msi")
	os.WriteFile(path, []byte("no package"), 0o600)
	_, err := applied(t, m, 0, guestproto.Layer{Kind: "package", Name: "x", Package: &guestproto.Package{Source: put(t, m, path)}})
	if err == nil || !strings.Contains(err.Error(), "no Windows Installer package") {
		t.Errorf("err %v", err)
	}
	mustApply(t, m, 0)
}

func TestPackageRefusesASecretArgument(t *testing.T) {
	m := windowsMachine(t)
	l := packageLayer(t, m)
	l.Package.Properties = map[string]secret.Text{"PASSWORD": hidden(planted)}
	_, err := applied(t, m, 0, l)
	if err == nil || !strings.Contains(err.Error(), "PASSWORD") || installed() {
		t.Errorf("err %v, installed %v", err, installed())
	}
	mustApply(t, m, 0)
}

func TestPackageThatWasThereStays(t *testing.T) {
	m := windowsMachine(t)
	l := packageLayer(t, m)
	msi := filepath.Join(assets(t), "svc.msi")
	if out, err := exec.Command("msiexec", "/i", msi, "/qn").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	mustApply(t, m, 0, l)
	mustApply(t, m, 0)
	if !installed() {
		t.Error("it was removed")
	}
	if out, err := exec.Command("msiexec", "/x", msi, "/qn").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

func TestServiceThatCannotStartSaysWhy(t *testing.T) {
	for _, test := range []struct{ name, variable, want string }{
		{"its own code", "FAIL", "service-specific exit code 42"},
		{"never runs", "HANG", "time limit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := windowsMachine(t)
			l := guestproto.Layer{Kind: "service", Name: "EnvctlTestSvc2", Service: &guestproto.Service{
				Command: filepath.Join(assets(t), "svc.exe"), State: "running", Timeout: 3,
				Env: map[string]secret.Text{test.variable: secret.Plain("42")}}}
			events, err := applied(t, m, 0, l)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err %v\n%s", err, events)
			}
			mustApply(t, m, 0)
			mm, err := mgr.Connect()
			if err != nil {
				t.Fatal(err)
			}
			defer mm.Disconnect()
			if s, err := mm.OpenService("EnvctlTestSvc2"); err == nil {
				s.Close()
				t.Error("the service is left")
			}
		})
	}
}

func TestServiceThatIsMissing(t *testing.T) {
	m := windowsMachine(t)
	_, err := applied(t, m, 0, guestproto.Layer{Kind: "service", Name: "NoSuch", Service: &guestproto.Service{State: "running"}})
	if err == nil || !strings.Contains(err.Error(), `no service "NoSuch"`) {
		t.Errorf("err %v", err)
	}
	mustApply(t, m, 0)
}

// setupKey is where the test's EXE installer registers.
const setupKey = `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\envctl-test-setup`

// asSetup lets the test binary be an EXE installer: /S installs and ends with 3010, /U removes, /F fails.
func asSetup() (code int, handled bool) {
	if filepath.Base(os.Args[0]) != "setup.exe" {
		return 0, false
	}
	home := filepath.Join(os.Getenv("ProgramData"), "envctl-test-setup.exe")
	switch os.Args[1] {
	case "/S":
		if err := copyFile(os.Args[0], home); err != nil {
			panic(err)
		}
		k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, setupKey, registry.ALL_ACCESS)
		if err != nil {
			panic(err)
		}
		k.SetStringValue("QuietUninstallString", `cmd.exe /c reg delete "HKLM\`+setupKey+`" /f & del "`+home+`"`)
		return exitRestartRequired, true
	case "/F":
		fmt.Println("the disk is made of cheese")
		return 1603, true
	}
	return 1, true
}

func TestEXEPackage(t *testing.T) {
	m := windowsMachine(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	src := put(t, m, exe)
	src.Name = "setup.exe"
	layer := func(arg string) guestproto.Layer {
		return guestproto.Layer{Kind: "package", Name: "setup", Package: &guestproto.Package{Source: src, Args: []secret.Text{secret.Plain(arg)}}}
	}
	if _, err := applied(t, m, 0, layer("/F")); err == nil || !strings.Contains(err.Error(), "exit code 1603: the disk is made of cheese") {
		t.Errorf("err %v", err)
	}
	mustApply(t, m, 0)

	src = put(t, m, exe)
	src.Name = "setup.exe"
	events := mustApply(t, m, 0, layer("/S"))
	if !strings.Contains(events, "asks for a restart") {
		t.Errorf("events:\n%s", events)
	}
	if o, err := m.Observe(context.Background()); err != nil || o.Manifest.PendingReboot != m.BootID || len(o.Drifted) != 0 {
		t.Errorf("observed %+v (%v)", o, err)
	}
	mustApply(t, m, 0)
	if k, err := registry.OpenKey(registry.LOCAL_MACHINE, setupKey, registry.QUERY_VALUE); !errors.Is(err, registry.ErrNotExist) {
		k.Close()
		t.Errorf("it is left: %v", err)
	}
	if _, err := os.Stat(filepath.Join(os.Getenv("ProgramData"), "envctl-test-setup.exe")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its file is left: %v", err)
	}
}

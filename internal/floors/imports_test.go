package floors

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/envctl/envctl"

// floors are the packages from the ground up. A package imports only from its own floor or lower ones;
// a folder's place is its subfolders' too, unless they have their own. A new package is put in here
// when it is made: one without a place fails the test.
var floors = [][]string{
	{ // words that every part shares, and what needs nothing but them
		"internal/addr", "internal/blob", "internal/secret", "internal/event", "internal/guestproto",
		"internal/carrier", "internal/bootstrap", "internal/hostlink", "internal/heard", "internal/forward", "internal/probe", "internal/assets", "internal/lock", "internal/fetch", "internal/egress", "internal/tarball", "internal/volume", "internal/registrytest",
		"internal/lazyregexp", "internal/nettest",
		"templates", "internal/floors",
	},
	{"internal/userconfig", "internal/near"},
	{"envspec", "providers"},
	{ // what is decided, and the roles that run in helpers
		"internal/plan", "internal/wire", "internal/composeimport", "internal/credential", "internal/resolve", "internal/watch",
		"internal/sandbox", "internal/guest",
	},
	{"providers/docker", "providers/windows"},
	{"internal/gateway"}, // its relay runs in a container and reaches the machine as the host does
	{"internal/topology"},
	{"internal/engine"},
	{"internal/view", "internal/tui"},
	{"internal/cli"},
	{"cmd", "internal/devtools"},
}

// only says who alone may import what; keys and values are folders, for all that is in them. The cmd
// folder is left to itself: a main imports what it is the main of.
var only = map[string][]string{
	"github.com/docker/docker":                 {"providers/docker"},
	"github.com/masterzen/winrm":               {"providers/windows/winrm"},
	"github.com/bodgit/ntlmssp":                {"providers/windows/winrm"},
	"charm.land/bubbletea":                     {"internal/tui"},
	"github.com/spf13/cobra":                   {"internal/cli"},
	"github.com/lib/pq":                        {"templates/quickstart"},
	module + "/providers/docker":               {"internal/cli"},
	module + "/providers/windows":              {"internal/cli", "internal/topology", "internal/gateway/relay"},
	module + "/templates/quickstart":           {"internal/devtools"},
	module + "/internal/cli":                   {"cmd", "internal/devtools"},
	module + "/internal/guest":                 {"cmd", "internal/devtools"},
	"github.com/zalando/go-keyring":            {"internal/credential"},
	"filippo.io/age":                           {"internal/credential"},
	"github.com/hashicorp/hcl/v2/hclparse":     {"envspec"},
	"github.com/hashicorp/hcl/v2/hclsyntax":    {"envspec", "internal/userconfig"},
	"github.com/hashicorp/hcl/v2/hclwrite":     {"envspec", "internal/composeimport"},
	"github.com/compose-spec/compose-go":       {"internal/composeimport"},
	"github.com/hashicorp/hcl/v2/ext/dynblock": {"envspec"},
}

// pure are packages that do no input or output of their own, and what would make it possible.
var pure = []string{"internal/plan"}
var impure = []string{"os", "os/exec", "net", "net/http", "syscall", "io/ioutil"}

type pkg struct {
	ImportPath   string
	Doc          string
	Imports      []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

// path is the package's folder within the module.
func (p pkg) path() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func packages(t *testing.T, goos string) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

// under reports whether a path is a folder or in it.
func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// floor gives a package's floor, by the longest folder that names it; -1 where none does.
func floor(path string) int {
	best, at := "", -1
	for n, folders := range floors {
		for _, f := range folders {
			if under(path, f) && len(f) > len(best) {
				best, at = f, n
			}
		}
	}
	return at
}

func TestImportsRunDownwards(t *testing.T) {
	for _, goos := range []string{"linux", "windows", "darwin"} {
		for _, p := range packages(t, goos) {
			if len(p.GoFiles) == 0 || p.path() == "" {
				continue
			}
			for _, fault := range faults(p) {
				t.Errorf("%s: %s", goos, fault)
			}
		}
	}
}

// faults are the rules that a package's imports break, in words.
func faults(p pkg) (list []string) {
	here := floor(p.path())
	if here < 0 {
		return []string{p.path() + " has no floor: give it one in internal/floors"}
	}
	for _, imported := range p.Imports {
		if their, ours := strings.CutPrefix(imported, module+"/"); ours {
			if floor(their) > here {
				list = append(list, p.path()+" imports "+their+", which is on a higher floor")
			}
			if provider(p.path()) != "" && provider(their) != "" && provider(p.path()) != provider(their) {
				list = append(list, p.path()+" imports "+their+": providers never import each other")
			}
		}
		for guarded, allowed := range only {
			if !under(imported, guarded) || under(p.ImportPath, guarded) || under(p.path(), "cmd") {
				continue
			}
			if !slices.ContainsFunc(allowed, func(f string) bool { return under(p.path(), f) }) {
				list = append(list, p.path()+" imports "+imported+", which only "+strings.Join(allowed, ", ")+" may")
			}
		}
		if slices.Contains(pure, p.path()) && slices.Contains(impure, imported) {
			list = append(list, p.path()+" imports "+imported+", and is to do no input or output")
		}
	}
	return list
}

// provider gives the concrete provider that a path belongs to; "" for anything else.
func provider(path string) string {
	rest, ok := strings.CutPrefix(path, "providers/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	if name == "providertest" {
		return "" // the conformance suite is every provider's
	}
	return name
}

// The rules are only as good as what they catch.
func TestFaultsAreSeen(t *testing.T) {
	for name, c := range map[string]struct{ from, to string }{
		"upwards":                  {"internal/plan", module + "/internal/engine"},
		"from the ground":          {"internal/addr", module + "/envspec"},
		"engine, concrete":         {"internal/engine", module + "/providers/docker"},
		"provider to provider":     {"providers/docker", module + "/providers/windows/winrm"},
		"docker client elsewhere":  {"internal/sandbox", "github.com/docker/docker/client"},
		"winrm elsewhere":          {"providers/windows", "github.com/masterzen/winrm/soap"},
		"bubbletea elsewhere":      {"internal/cli", "charm.land/bubbletea/v2"},
		"input and output in plan": {"internal/plan", "os"},
		"no floor":                 {"internal/util", "fmt"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pkg{ImportPath: module + "/" + c.from, Imports: []string{c.to}}
			if len(faults(p)) == 0 {
				t.Errorf("%s may import %s", c.from, c.to)
			}
		})
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, goos := range []string{"linux", "windows"} {
		for _, p := range packages(t, goos) {
			if len(p.GoFiles) == 0 {
				continue
			}
			if len(strings.Fields(p.Doc)) < 5 {
				t.Errorf("%s has no doc comment that says what it is for", p.ImportPath)
			}
		}
	}
}

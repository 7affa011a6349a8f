package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/assets"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
	"github.com/envctl/envctl/providers/docker"
)

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find what is broken, and where",
		Long: `Test what the environment stands on and what is up of it: the engine and what chose it, the spec, the credential
store, each resource, each published port, and each wire from where it is used. What is broken is named with the
place where it breaks and with what to do next; the exit code is then 1. Nothing is changed: for the wires a
container of envctl's own borrows the network of each that uses one, for a moment.`,
		Example: "  envctl doctor\n  envctl doctor --json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.doctor() },
	}
	a.specFlags(c)
	return c
}

type doctorOutput struct {
	Format int          `json:"format"`
	Checks []view.Check `json:"checks"`
}

// Kinds of checks, in the order in which they are shown.
const (
	checkEngine      = "engine"
	checkSpec        = "spec"
	checkHelpers     = "helpers"
	checkCredentials = "credentials"
	checkResource    = "resource"
	checkPort        = "port"
	checkWire        = "wire"
)

func (a *app) doctor() error {
	ctx := a.interrupts.stop
	checks := a.diagnose(ctx)
	if err := ctx.Err(); err != nil {
		return err // what was cut short says nothing
	}
	if err := a.printChecks(checks); err != nil {
		return err
	}
	if slices.ContainsFunc(checks, func(c view.Check) bool { return !c.OK }) {
		return exit(ExitFailed)
	}
	return nil
}

func (a *app) printChecks(checks []view.Check) error {
	if a.json {
		return json.NewEncoder(a.Out).Encode(doctorOutput{view.Format, checks})
	}
	return view.Checks(a.Out, checks,
		[]string{checkEngine, checkSpec, checkHelpers, checkCredentials, checkResource, checkPort, checkWire},
		map[string]string{
			checkEngine: "Engine", checkSpec: "Spec", checkHelpers: "Helpers", checkCredentials: "Credentials",
			checkResource: "Resources", checkPort: "Ports on this computer", checkWire: "Wires",
		}, a.colorOut())
}

// broken is a check that failed.
func broken(name, subject, hint, format string, args ...any) view.Check {
	return view.Check{Name: name, Subject: subject, Detail: fmt.Sprintf(format, args...), Hint: hint}
}

// sound is a check that passed.
func sound(name, subject, format string, args ...any) view.Check {
	return view.Check{Name: name, Subject: subject, OK: true, Detail: fmt.Sprintf(format, args...)}
}

// diagnose goes from what everything stands on to the wires, as far as it can.
func (a *app) diagnose(ctx context.Context) []view.Check {
	spec, checked := a.examineSpec()
	w, engine := a.examineEngine(ctx, spec)
	checks := []view.Check{engine, checked, examineHelpers()}
	if w == nil {
		return checks
	}
	defer w.close()
	if spec == nil {
		return checks
	}
	checks = append(checks, examineStore(w.store))
	if !engine.OK {
		return checks
	}
	w.credentials(spec.Credentials())
	s := &session{world: w, spec: spec}
	if err := s.survey(ctx); err != nil {
		return append(checks, broken(checkResource, "environment "+spec.Name, `"envctl plan" says more`, "%v", err))
	}
	return append(checks, s.examine(ctx)...)
}

// examineSpec gives the spec where it has no mistake.
func (a *app) examineSpec() (*envspec.Spec, view.Check) {
	spec, diags, err := a.load()
	if err != nil {
		return nil, broken(checkSpec, "spec", `"envctl init" writes one that works as it is`, "%v", err)
	}
	if i := slices.IndexFunc(diags, func(d *hcl.Diagnostic) bool { return d.Severity == hcl.DiagError }); i >= 0 {
		return nil, broken(checkSpec, "spec in "+spec.Dir, `"envctl validate" shows every mistake`, "%s", diags[i].Error())
	}
	return spec, sound(checkSpec, "environment "+spec.Name, "%s", spec.Dir)
}

// examineEngine also gives what an environment lives in, where that much is known; its spec may be nil.
func (a *app) examineEngine(ctx context.Context, spec *envspec.Spec) (*world, view.Check) {
	const hint = "\"docker context ls\" lists the engines that are known here, DOCKER_HOST names another"
	var instance providers.Instance
	if spec != nil {
		id, err := a.instanceID(spec.Dir)
		if err != nil {
			return nil, broken(checkEngine, "instance", "give it a name with --name", "%v", err)
		}
		instance = providers.Instance{Environment: spec.Name, ID: id, SpecDir: spec.Dir}
	}
	w, err := a.world(instance)
	if err != nil {
		return nil, broken(checkEngine, "Docker engine", hint, "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	version, api, err := w.docker.EngineVersion(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%w at %s within %s", docker.ErrNoEngine, w.docker.Host(), 2*patience)
		fallthrough
	case err != nil:
		return w, broken(checkEngine, "Docker engine", hint, "%v", err)
	}
	where, err := w.docker.EngineInfo(ctx)
	if err != nil {
		return w, broken(checkEngine, "Docker engine", hint, "%v", err)
	}
	return w, sound(checkEngine, "Docker engine "+version, "%s, API %s", where, api)
}

// examineHelpers looks for the programs that this envctl should carry.
func examineHelpers() view.Check {
	var missing []string
	for _, arch := range []string{"amd64", "arm64"} {
		_, errNode := assets.Node(arch)
		_, errGuest := assets.Guest(arch)
		if errors.Join(errNode, errGuest) != nil {
			missing = append(missing, arch)
		}
	}
	subject := "envctl for " + runtime.GOOS + "/" + runtime.GOARCH
	if len(missing) > 0 {
		return broken(checkHelpers, subject, "get a released envctl, or build it with \"make build\"",
			"its helpers for %s are not in it: no wire can be tested and no machine be had", strings.Join(missing, " and "))
	}
	return sound(checkHelpers, subject, "carries its helpers for amd64 and arm64")
}

// examineStore opens every credential that is kept.
func examineStore(store *credential.Store) view.Check {
	const subject = "credential store"
	began := time.Now()
	entries, err := store.List()
	if err != nil {
		return broken(checkCredentials, subject, "mend the file, or start over with \"envctl down --volumes\"", "%v", err)
	}
	for _, e := range entries {
		if _, _, err := store.Lookup(e.Name); err != nil {
			return broken(checkCredentials, subject, "\"envctl credentials\" lists what is kept, and by whom", "%v", err)
		}
	}
	if len(entries) == 0 {
		return sound(checkCredentials, subject, "nothing is kept yet")
	}
	return sound(checkCredentials, subject, "%d kept, opened in %s", len(entries), view.Duration(time.Since(began).Seconds()))
}

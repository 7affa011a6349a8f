package guest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// packageKind installs an MSI or an EXE installer.
type packageKind struct{}

// packageSaved is what undo needs.
type packageSaved struct {
	// Product is an MSI's ProductCode.
	Product string `json:"product,omitempty"`
	// Installed says that the product was there before: then it stays.
	Installed bool `json:"installed,omitempty"`
	// Before has the uninstall keys that were there, for an EXE; After those that it added.
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
}

// Exit codes of installers that are not failures: [MSI error codes].
const (
	exitRestartBegun    = 1641 // ERROR_SUCCESS_REBOOT_INITIATED
	exitRestartRequired = 3010 // ERROR_SUCCESS_REBOOT_REQUIRED
	exitUnknownProduct  = 1605 // ERROR_UNKNOWN_PRODUCT: nothing to remove
	exitBusy            = 1618 // ERROR_INSTALL_ALREADY_RUNNING
)

func isMSI(p *guestproto.Package) bool { return strings.EqualFold(filepath.Ext(p.Source.Name), ".msi") }

func (packageKind) apply(ctx context.Context, s *step) error {
	p := s.layer.Package
	cached, err := s.cached(p.Source)
	if err != nil {
		return err
	}
	args, err := plainArgs(p)
	if err != nil {
		return err
	}
	// Installers look at their own name and extension, and at what lies beside them.
	run := filepath.Join(s.machine.Dir, "run", p.Source.SHA256[:16])
	installer := filepath.Join(run, filepath.Base(filepath.FromSlash(p.Source.Name)))
	defer os.RemoveAll(run)
	if err := copyFile(cached, installer); err != nil {
		return err
	}
	if isMSI(p) {
		return installMSI(ctx, s, installer, args)
	}
	saved := packageSaved{}
	if saved.Before, err = uninstallKeys(); err != nil {
		return err
	}
	if err := s.save(saved); err != nil {
		return err
	}
	code, output, err := runInstaller(ctx, s, quoteArgs(append([]string{installer}, args...)))
	if err != nil {
		return err
	}
	if code != 0 && code != exitRestartBegun && code != exitRestartRequired {
		return fmt.Errorf("the installer ended with exit code %d: %s", code, output)
	}
	now, err := uninstallKeys()
	if err != nil {
		return err
	}
	saved.After = added(saved.Before, now)
	if err := s.save(saved); err != nil {
		return err
	}
	if len(saved.After) == 0 && len(p.Uninstall) == 0 {
		s.log("%s registered no way to remove it: without uninstall in the spec it will stay", p.Source.Name)
	}
	return restartAfter(s, code)
}

// plainArgs gives the arguments that the layer adds. A process list shows them to everyone.
func plainArgs(p *guestproto.Package) ([]string, error) {
	var args []string
	add := func(t secret.Text, format string) error {
		if t.Sensitive {
			return errors.New("a sensitive value cannot be an argument of an installer, where every process on the machine can read it; hand it over with a registry, env, service or file layer")
		}
		args = append(args, fmt.Sprintf(format, t.Reveal()))
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
		if err := add(p.Properties[name], name+"=%s"); err != nil {
			return nil, fmt.Errorf("property %s: %w", name, err)
		}
	}
	for _, a := range p.Args {
		if err := add(a, "%s"); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func installMSI(ctx context.Context, s *step, installer string, args []string) error {
	product, err := productCode(installer)
	if err != nil {
		return err
	}
	saved := packageSaved{Product: product, Installed: productInstalled(product)}
	if err := s.save(saved); err != nil {
		return err
	}
	if saved.Installed {
		s.log("%s is installed already and stays when this is taken down", product)
		return nil
	}
	code, log, err := msiexec(ctx, s, append([]string{"/i", installer}, args...))
	switch {
	case err != nil:
		return err
	case code != 0 && code != exitRestartBegun && code != exitRestartRequired:
		return fmt.Errorf("msiexec ended with exit code %d%s: %s", code, msiMeaning(code), log)
	}
	return restartAfter(s, code)
}

// restartAfter notes what an installer's exit code says about a restart.
func restartAfter(s *step, code uint32) error {
	switch code {
	case exitRestartRequired:
		s.log("Windows asks for a restart")
		return s.rebootPending()
	case exitRestartBegun:
		return errRestarting
	}
	return nil
}

func (packageKind) undo(ctx context.Context, s *step) error {
	var saved packageSaved
	if ok, err := s.saved(&saved); !ok || saved.Installed {
		return err
	}
	if saved.Product != "" {
		if !productInstalled(saved.Product) {
			return nil
		}
		code, log, err := msiexec(ctx, s, []string{"/x", saved.Product})
		switch {
		case err != nil:
			return err
		case code == exitRestartRequired, code == exitRestartBegun:
			return s.rebootPending()
		case code != 0 && code != exitUnknownProduct:
			return fmt.Errorf("msiexec ended with exit code %d%s: %s", code, msiMeaning(code), log)
		}
		return nil
	}
	return undoEXE(ctx, s, saved)
}

func undoEXE(ctx context.Context, s *step, saved packageSaved) error {
	commands := []string{}
	if u := s.layer.Package.Uninstall; len(u) > 0 {
		commands = append(commands, quoteArgs(u))
	} else {
		if saved.After == nil { // cut off while installing: what has come since it began is its own
			now, err := uninstallKeys()
			if err != nil {
				return err
			}
			saved.After = added(saved.Before, now)
		}
		for _, key := range saved.After {
			if command := uninstallCommand(key); command != "" {
				commands = append(commands, command)
			}
		}
	}
	if len(commands) == 0 {
		s.log("nothing says how to remove it: it stays; set uninstall in the spec")
	}
	for _, command := range commands {
		code, output, err := runInstaller(ctx, s, command)
		if err != nil {
			return err
		}
		switch code {
		case 0, exitUnknownProduct:
		case exitRestartRequired, exitRestartBegun:
			if err := s.rebootPending(); err != nil {
				return err
			}
		default:
			return fmt.Errorf("the uninstaller ended with exit code %d: %s", code, output)
		}
	}
	return nil
}

func (packageKind) observe(_ context.Context, s *step) (d drift, err error) {
	var saved packageSaved
	if ok, err := s.saved(&saved); !ok {
		return d, err
	}
	var gone []string
	if saved.Product != "" {
		if !productInstalled(saved.Product) {
			gone = []string{saved.Product}
		}
	} else {
		now, err := uninstallKeys()
		if err != nil {
			return d, err
		}
		gone = added(now, saved.After)
	}
	for _, product := range gone {
		d.part("product", guestproto.Shown(product), "")
	}
	if len(gone) > 0 {
		d.say("the product is no longer installed")
	}
	return d, nil
}

// runInstaller runs a line with the layer's time limit, apart from WinRM's processes, and gives the
// end of its output. The caller's going away does not end it: half an installation is worse than a late
// one, and undo waits for it.
func runInstaller(ctx context.Context, s *step, line string) (uint32, string, error) {
	limit := 30 * time.Minute
	if t := s.layer.Package.Timeout; t > 0 {
		limit = time.Duration(t) * time.Second
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	p, err := startProcess(command{line: line, outlive: true})
	if err != nil {
		return 0, "", err
	}
	var out tail
	code, err := p.run(ctx, &out, &out)
	if errors.Is(err, context.DeadlineExceeded) {
		return code, "", fmt.Errorf("the installer was ended after its time limit of %s; it may wait for an answer in a window that nobody sees: check its silent arguments, or raise timeout. %s", limit, out.text())
	}
	return code, out.text(), err
}

// added gives what is in after and not in before.
func added(before, after []string) []string {
	return slices.DeleteFunc(slices.Clone(after), func(k string) bool { return slices.Contains(before, k) })
}

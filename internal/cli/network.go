package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/adrg/xdg"
	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/credential"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/internal/userconfig"
)

// The variables that go before the user's configuration. One that is set to nothing says that there is none.
const (
	envCAFile  = "ENVCTL_CA_FILE"
	envProxy   = "ENVCTL_PROXY"
	envNoProxy = "ENVCTL_NO_PROXY"
)

// configPath is the user's configuration. XDG's folders hold on macOS too.
func (a *app) configPath() string {
	if dir, ok := a.Getenv("XDG_CONFIG_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "envctl", "config.hcl")
	}
	return filepath.Join(xdg.Home, ".config", "envctl", "config.hcl")
}

// network gives how one gets out of the network that this computer is in, with the real logins. It is read once, and so
// what is wrong with it is said once.
func (w *world) network(ctx context.Context) (*egress.Settings, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.netRead {
		return w.net, nil
	}
	var err error
	w.net, err = w.readNetwork(ctx)
	w.netRead = err == nil
	return w.net, err
}

// readNetwork reads it anew. Proxies are those that the docker command would give to containers and builds, where
// neither the user's configuration nor ENVCTL_PROXY names one. It is nil where nothing is set.
func (w *world) readNetwork(ctx context.Context) (*egress.Settings, error) {
	config, diags := userconfig.Read(w.configPath())
	n := config.Network
	if n == nil {
		n = &userconfig.Network{}
	}
	var texts [][]byte
	for _, f := range w.caFiles(n) {
		text, err := os.ReadFile(f.Path)
		if err == nil {
			_, err = egress.ParseCA(text)
		}
		if err != nil {
			if f.Range.Filename == "" {
				return nil, fmt.Errorf("%s, %s: %w", envCAFile, f.Path, err)
			}
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "A CA file that cannot be used", Detail: f.Path + ": " + plainError(err) + ".", Subject: &f.Range})
			continue
		}
		texts = append(texts, text)
	}
	if n.Keychain {
		text, diag := keychain(ctx, n.KeychainRange)
		if diag != nil {
			diags = append(diags, diag)
		}
		if len(text) > 0 {
			texts = append(texts, text)
		}
	}
	if err := w.refuseConfig(config.Source, diags); err != nil {
		return nil, err
	}
	ca, err := egress.ParseCA(texts...)
	if err != nil {
		return nil, err
	}
	s := &egress.Settings{CA: ca, NoProxy: n.NoProxy}
	if s.Proxies, err = w.proxies(n, s); err != nil {
		return nil, err
	}
	if list, ok := w.Getenv(envNoProxy); ok {
		s.NoProxy = split(list)
	}
	if s.CA == "" && len(s.Proxies) == 0 {
		return nil, nil
	}
	return s, nil
}

func (a *app) caFiles(n *userconfig.Network) []userconfig.File {
	list, ok := a.Getenv(envCAFile)
	if !ok {
		return n.CAFiles
	}
	var files []userconfig.File
	for _, name := range filepath.SplitList(list) {
		files = append(files, userconfig.File{Path: userconfig.Abs(a.Dir, name)})
	}
	return files
}

func (w *world) proxies(n *userconfig.Network, s *egress.Settings) (map[string]secret.Text, error) {
	proxy := n.Proxy
	text, set := w.Getenv(envProxy)
	switch {
	case set && text == "":
		return nil, nil
	case set:
		var ok bool
		if proxy, ok = egress.ProxyURL(text); !ok {
			return nil, errors.New(envProxy + " is not the address of a proxy; write it as http://proxy.corp:3128")
		}
	case proxy.Reveal() == "":
		proxies, noProxy := w.docker.ConfiguredProxies()
		s.NoProxy = append(s.NoProxy, noProxy...)
		return proxies, nil
	}
	return map[string]secret.Text{"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}, nil
}

func split(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return strings.TrimSpace(s) == "" })
}

// refuseConfig shows what is wrong with the user's configuration, and fails where anything is an error.
func (w *world) refuseConfig(source *hcl.File, diags hcl.Diagnostics) error {
	if len(diags) == 0 {
		return nil
	}
	sources := map[string]*hcl.File{}
	if source != nil {
		sources[w.configPath()] = source
	}
	var err error
	if w.stream != nil {
		err = w.diagnostics(nil, diags)
	} else {
		err = envspec.WriteDiagnostics(w.Err, sources, diags, w.width(), w.color())
	}
	if diags.HasErrors() {
		err = errors.Join(err, said{"the user's configuration has mistakes", ExitFailed})
	}
	return err
}

func plainError(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// keychain gives the authorities in the macOS system keychain; elsewhere a warning says that there is none.
func keychain(ctx context.Context, at hcl.Range) ([]byte, *hcl.Diagnostic) {
	if runtime.GOOS != "darwin" {
		return nil, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "No keychain here", Subject: &at,
			Detail: "Only macOS has a system keychain. Name the CA's certificate with ca_file on this computer."}
	}
	text, err := egress.Keychain(ctx)
	if err != nil {
		return nil, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "The keychain cannot be read", Subject: &at, Detail: err.Error()}
	}
	return text, nil
}

// proxyLogin is the name under which the logins of proxies have a version, as credentials have one.
const proxyLogin = "network.proxy"

// planNetwork reads the network's settings, and plans with their logins.
func (s *session) planNetwork(ctx context.Context) error {
	net, err := s.network(ctx)
	if err != nil {
		return err
	}
	if logins := net.Logins(); logins != "" {
		s.netLogin, err = s.secrets.Given(proxyLogin, logins)
	}
	return err
}

// netStandIn gives the settings as plans see them: a login is known by its version alone.
func (s *session) netStandIn() *egress.Settings {
	return s.net.Replace(credential.StandIn(proxyLogin, s.netLogin.ID))
}

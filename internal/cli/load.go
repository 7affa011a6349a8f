package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/hcl/v2"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
)

// specDir is the folder of the spec: -C, or the folder of -f, or the nearest one upwards that has a spec.
func (a *app) specDir() (string, error) {
	start := a.Dir
	if a.chdir != "" {
		start = a.abs(a.chdir)
		switch info, err := os.Stat(start); {
		case errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("there is no folder %s, which -C names", start)
		case err != nil:
			return "", err
		case !info.IsDir():
			return "", fmt.Errorf("%s, which -C names, is not a folder; a file is named with -f", start)
		}
	}
	if len(a.files) > 0 {
		return start, nil
	}
	return envspec.Find(start)
}

// load reads the spec. What is wrong with it is in the diagnostics; the error is for what kept it from being read.
func (a *app) load() (*envspec.Spec, hcl.Diagnostics, error) {
	vars, err := a.variables()
	if err != nil {
		return nil, nil, err
	}
	dir, err := a.specDir()
	if err != nil {
		return nil, nil, err
	}
	version, _ := buildVersion(a.version)
	opts := envspec.LoadOptions{Dir: dir, Vars: vars, Environ: a.Getenv, ToolVersion: version, Profiles: a.askedProfiles()}
	for _, f := range a.files {
		opts.Files = append(opts.Files, a.abs(f))
	}
	for _, f := range a.varFiles {
		opts.VarFiles = append(opts.VarFiles, a.abs(f))
	}
	spec, diags := envspec.Load(opts)
	return spec, diags, nil
}

// specimen gives endpoints and credentials values that are well-formed and mean nothing, so that a spec can
// be checked without asking an engine or a store.
type specimen struct{}

func (specimen) Address(from addr.Addr, to addr.Endpoint) (string, int) {
	if from.IsHost() || from.Kind == addr.Windows {
		return "127.0.0.1", 20000
	}
	return to.Addr.DNS(), 20000
}

func (specimen) Credential(name string) (envspec.CredentialValue, error) {
	return envspec.CredentialValue{Username: name, Password: fmt.Sprintf("envctl-specimen-of-the-password-of-%s", name)}, nil
}

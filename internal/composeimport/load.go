package composeimport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
	"gopkg.in/yaml.v3"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// source is what was read: the project with its variables resolved, and the same before that.
type source struct {
	project *types.Project
	raw     map[string]any // nil where it cannot be had without resolving
	root    string         // folder of the first Compose file
	shown   []string       // the files' names
	order   []string       // services as the files name them
	dotenv  map[string]string
	environ func(string) (string, bool)
	asked   map[string]bool // variables with a default that were resolved
}

// load reads Compose files twice: as Compose does, and with the variables left in.
func load(ctx context.Context, o Options) (*source, error) {
	if len(o.Files) == 0 {
		return nil, errors.New("no Compose file is named; name one, such as compose.yaml")
	}
	s := &source{environ: o.Environ, asked: map[string]bool{}}
	if s.environ == nil {
		s.environ = func(string) (string, bool) { return "", false }
	}
	var files []types.ConfigFile
	for _, f := range o.Files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", f, err)
		}
		content, err := os.ReadFile(abs)
		if err != nil {
			return nil, fmt.Errorf("read the Compose file: %w", err)
		}
		files = append(files, types.ConfigFile{Filename: abs, Content: content})
		s.shown = append(s.shown, filepath.Base(f))
		s.order = append(s.order, serviceNames(content)...)
	}
	s.root = filepath.Dir(files[0].Filename)
	if err := s.readDotenv(); err != nil {
		return nil, err
	}
	// The library warns through logrus's one logger; all that it warns of is in the result.
	logger := logrus.StandardLogger()
	before := logger.Out
	logger.SetOutput(io.Discard)
	defer logger.SetOutput(before)

	var err error
	if s.project, err = loader.LoadWithContext(ctx, s.details(files), s.options(false)); err != nil {
		return nil, fmt.Errorf("%s cannot be read as Compose would; where it lacks the value of a variable, set it in .env beside it: %w", strings.Join(o.Files, ", "), err)
	}
	if s.raw, err = loader.LoadModelWithContext(ctx, s.details(files), s.options(true)); err != nil {
		s.raw = nil // some variables shape the file itself: then all are resolved
	}
	return s, nil
}

// details gives the library its own copy of the files.
func (s *source) details(files []types.ConfigFile) types.ConfigDetails {
	env := types.Mapping{}
	for k, v := range s.dotenv {
		env[k] = v
	}
	for _, k := range []string{"COMPOSE_PROJECT_NAME", "COMPOSE_CONVERT_WINDOWS_PATHS"} {
		if v, ok := s.environ(k); ok {
			env[k] = v
		}
	}
	return types.ConfigDetails{WorkingDir: s.root, ConfigFiles: append([]types.ConfigFile(nil), files...), Environment: env}
}

var notProject = lazyregexp.New(`[^a-z0-9_-]+`)

func (s *source) options(raw bool) func(*loader.Options) {
	return func(o *loader.Options) {
		name := strings.Trim(notProject.ReplaceAllString(strings.ToLower(filepath.Base(s.root)), "-"), "-_")
		if given, ok := s.lookup("COMPOSE_PROJECT_NAME"); ok && given != "" {
			name = given
		}
		if name == "" {
			name = "imported"
		}
		o.SetProjectName(name, false)
		o.Profiles = []string{"*"}
		o.SkipNormalization, o.SkipResolveEnvironment, o.SkipResolveLabels = true, true, true
		o.SkipConsistencyCheck = true
		o.SkipInterpolation = raw
		o.SkipValidation = raw
		if !raw {
			o.Interpolate = &interpolation.Options{
				LookupValue:     s.lookup,
				TypeCastMapping: o.Interpolate.TypeCastMapping,
				Substitute:      s.substitute,
			}
		}
	}
}

// demand is a variable that Compose refuses to be without; here it becomes a variable without a default.
var demand = lazyregexp.New(`\$\{([A-Za-z_][A-Za-z0-9_]*):?\?[^}]*\}`)

func (s *source) substitute(text string, mapping template.Mapping) (string, error) {
	text = demand.ReplaceAllString(text, "$${$1}")
	return template.SubstituteWithOptions(text, mapping, template.WithoutLogging)
}

// lookup gives a variable's value as Compose does: from the environment, else from .env.
func (s *source) lookup(name string) (string, bool) {
	if v, ok := s.environ(name); ok {
		return v, true
	}
	v, ok := s.dotenv[name]
	return v, ok
}

func (s *source) readDotenv() error {
	f, err := os.Open(filepath.Join(s.root, ".env"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the .env file: %w", err)
	}
	defer f.Close()
	if s.dotenv, err = dotenv.ParseWithLookup(f, s.environ); err != nil {
		return fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return nil
}

// serviceNames gives the services of a file in the order in which they stand; mistakes are the loader's.
func serviceNames(content []byte) (names []string) {
	var doc struct {
		Services yaml.Node `yaml:"services"`
	}
	if yaml.Unmarshal(content, &doc) != nil || doc.Services.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(doc.Services.Content); i += 2 {
		names = append(names, doc.Services.Content[i].Value)
	}
	return names
}

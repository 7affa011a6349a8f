// Package cli is the command line: one file a command, the streams and clients handed in, and one place
// that owns exit codes. It alone knows which providers there are.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/internal/view"
)

// Exit codes beside those that a command run by exec gives.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitChanges     = 2 // plan --detailed-exitcode, and there is something to do
	ExitUsage       = 64
	ExitInterrupted = 130
)

// IO is what a command reads, writes and is told by its surroundings.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	// Getenv is os.LookupEnv outside of tests.
	Getenv func(string) (string, bool)
	// Dir is the folder that the command was called in.
	Dir string
}

// Main runs the command line and gives the exit code of the process.
func Main(ctx context.Context, version string, args []string, io IO) int {
	a := &app{IO: io, version: version}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)
	a.interrupts = newInterrupts(ctx, signals)
	defer a.interrupts.close()

	root := a.root()
	root.SetArgs(args)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		a.completeFlags(root)
	}
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	err := root.ExecuteContext(a.interrupts.stop)
	return a.exitCode(err)
}

// exit is an error that is only an exit code: what there was to say has been said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// said is an exit code whose reason a person was shown already; the words are for the last of a stream's events.
type said struct {
	words string
	code  exit
}

func (s said) Error() string { return s.words }
func (s said) Unwrap() error { return s.code }

// usageError is a mistake in the words of the command itself.
type usageError struct {
	err     error
	command string // whose help says what is right; "" for envctl's
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{err: fmt.Errorf(format, args...)} }

func (a *app) exitCode(err error) int {
	var code exit
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintf(a.Err, "Error: %v\nRun \"%s --help\" for what there is.\n", err, cmp.Or(usage.command, "envctl"))
		return ExitUsage
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled) && a.interrupts.stop.Err() != nil:
		fmt.Fprintln(a.Err, "Interrupted.")
		return ExitInterrupted
	default:
		fmt.Fprintf(a.Err, "Error: %v\n", err)
		return ExitFailed
	}
}

// app is one run of the command line: the flags that every command has, and what is made from them
// when a command asks for it.
type app struct {
	IO
	version    string
	interrupts *interrupts
	command    string // in full, as "envctl credentials rotate"

	chdir    string
	files    []string
	name     string
	vars     []string
	varFiles []string
	profiles []string
	json     bool
	quiet    bool
	frozen   bool // --frozen of the commands that use the lock
	rebuild  bool // --rebuild of plan and up

	stream *view.Stream // where a command's events are its output
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "envctl",
		Short: "Development environments that are part Linux containers, part Windows machines",
		Long: `envctl makes a development environment from a spec: Linux containers and Windows machines,
wired together in both directions.

  envctl init     writes an environment that works as it is
  envctl up       makes it true, or changes what is there to what the spec says now
  envctl down     takes it away`,
		SilenceUsage:     true,
		SilenceErrors:    true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) { a.command = cmd.CommandPath() },
		Args:             noSuchCommand,
		RunE:             func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetHelpFunc(a.help)
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVarP(&a.chdir, "chdir", "C", "", "`folder` of the spec; without it, the nearest one upwards with a *.envctl.hcl")
	f.StringArrayVarP(&a.files, "file", "f", nil, "a spec `file`, in place of the folder's; may be repeated")
	f.StringVar(&a.name, "name", "", "`instance`, for several copies of one environment (default: from this computer and the folder)")
	f.BoolVar(&a.json, "json", false, "machine-readable output")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print results and errors only")
	root.AddCommand(
		a.initCommand(), a.importCommand(), a.validateCommand(), a.schemaCommand(), a.lockCommand(), a.fmtCommand(), a.graphCommand(), a.evalCommand(), a.planCommand(), a.upCommand(), a.downCommand(), a.statusCommand(), a.doctorCommand(),
		a.outputsCommand(), a.logsCommand(), a.execCommand(), a.sandboxCommand(), a.versionCommand(),
		a.shellCommand(), a.cpCommand(), a.portsCommand(), a.stopCommand(), a.startCommand(), a.restartCommand(), a.pruneCommand(),
		a.forwardCommand(), a.credentialsCommand(), a.envCommand(), a.snapshotCommand(),
	)
	for _, c := range append(root.Commands(), root) {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes a wrong number of arguments a usage error, like a wrong flag.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w\nUsage: %s", err, cmd.UseLine()), cmd.CommandPath()}
			}
			return nil
		}
	}
}

// specFlags adds what every command that loads a spec takes.
func (a *app) specFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&a.vars, "var", nil, "value of a variable, as `name=value`; may be repeated")
	c.Flags().StringArrayVar(&a.varFiles, "var-file", nil, "`file` of variables' values; may be repeated")
	c.Flags().StringArrayVar(&a.profiles, "profile", nil, "have what is of this `profile` up too; may be repeated, and \"*\" is all (ENVCTL_PROFILES, with commas)")
}

// variables reads --var.
func (a *app) variables() (map[string]string, error) {
	vars := make(map[string]string, len(a.vars))
	for _, v := range a.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usagef("--var %q is not of the form name=value", v)
		}
		vars[name] = value
	}
	return vars, nil
}

// buildVersion is the version that the linker set, or what the Go toolchain knows of the module.
func buildVersion(set string) (version, commit string) {
	version = set
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, ""
	}
	if version == "" {
		version = strings.TrimPrefix(info.Main.Version, "v")
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	if version == "" || version == "(devel)" {
		version = "0.1.0-dev"
	}
	return version, commit
}

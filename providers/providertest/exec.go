package providertest

import (
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/envctl/envctl/providers"
)

// execer gives a resource to run commands in.
func (r *trial) execer() (providers.Execer, providers.Observed) {
	r.Helper()
	e, ok := r.Provider.(providers.Execer)
	if !ok {
		r.Skip("the provider is no Execer")
	}
	r.need("command", r.Exit != nil)
	return e, r.up(r.Plain("a", 1))
}

// runs runs a command and gives what it wrote, without the white space around it.
func (r *trial) runs(e providers.Execer, o providers.Observed, opts providers.ExecOptions) (code int, stdout, stderr string) {
	r.Helper()
	var out, errs bytes.Buffer
	opts.Stdout, opts.Stderr = &out, &errs
	code, err := e.Exec(r.Context(), o, opts)
	if err != nil {
		r.Errorf("%q: %v", opts.Command, err)
	}
	return code, strings.TrimSpace(out.String()), strings.TrimSpace(errs.String())
}

func execPasses(r *trial) {
	e, o := r.execer()
	for _, want := range r.Codes {
		if code, _, stderr := r.runs(e, o, providers.ExecOptions{Command: r.Exit(want)}); code != want {
			r.Errorf("exit code %d came as %d (%s)", want, code, stderr)
		}
	}
	if r.Say != nil {
		code, stdout, stderr := r.runs(e, o, providers.ExecOptions{Command: r.Say("to stdout", "to stderr")})
		if code != 0 || stdout != "to stdout" || stderr != "to stderr" {
			r.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
		}
		// Who wants no output gives no writer.
		if code, err := e.Exec(r.Context(), o, providers.ExecOptions{Command: r.Say("to stdout", "to stderr")}); code != 0 || err != nil {
			r.Errorf("without writers: exit code %d, %v", code, err)
		}
	}
	if r.Env != nil {
		const value = "a value = b"
		if _, stdout, _ := r.runs(e, o, providers.ExecOptions{Command: r.Env("SUITE"), Env: []string{"SUITE=" + value}}); stdout != value {
			r.Errorf("the variable was %q", stdout)
		}
	}
	if r.Folder != "" {
		if _, stdout, _ := r.runs(e, o, providers.ExecOptions{Command: r.Where, WorkingDir: r.Folder}); stdout != r.Folder {
			r.Errorf("it ran in %q", stdout)
		}
	}
}

func execStdin(r *trial) {
	e, o := r.execer()
	r.need("command that copies its stdin", r.Cat != nil)
	var lines strings.Builder
	for range 4096 {
		lines.WriteString("a line of some length\r\n")
	}
	plain := strings.NewReplacer("\r", "")
	code, stdout, _ := r.runs(e, o, providers.ExecOptions{Command: r.Cat, Stdin: strings.NewReader(lines.String())})
	if want := plain.Replace(strings.TrimSpace(lines.String())); code != 0 || plain.Replace(stdout) != want {
		r.Errorf("exit code %d, %d bytes of %d came back", code, len(stdout), len(want))
	}
	if code, stdout, _ := r.runs(e, o, providers.ExecOptions{Command: r.Cat}); code != 0 && stdout != "" {
		r.Errorf("without a stdin: exit code %d, %q", code, stdout)
	}
	// Nobody types into a terminal any more, and the command has ended.
	in, typing := io.Pipe()
	defer typing.Close()
	if code, _, _ := r.runs(e, o, providers.ExecOptions{Command: r.Exit(3), Stdin: in}); code != 3 {
		r.Errorf("with a stdin that does not end: exit code %d", code)
	}
}

func execEnds(r *trial) {
	e, o := r.execer()
	r.need("command that hangs", r.Hang != nil)
	r.cut("Exec", func(ctx context.Context) error {
		_, err := e.Exec(ctx, o, providers.ExecOptions{Command: r.Hang, Stdout: io.Discard, Stderr: io.Discard})
		return err
	})
	if code, _, _ := r.runs(e, o, providers.ExecOptions{Command: r.Exit(0)}); code != 0 {
		r.Errorf("after one that was cut short another ended with %d", code)
	}
}

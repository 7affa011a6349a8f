package sandbox

import (
	"context"
	"io"
)

// CommandSpec is one command line to run.
type CommandSpec struct {
	// Line is the whole command line, program and arguments.
	Line string
	// Shell says whether cmd.exe runs the line (its limit of 8,191 characters holds then).
	Shell bool
	// Dir is the working directory in Windows' form; empty is the user's profile.
	Dir string
	// CodePage is what the command's console writes in (WINRS_CODEPAGE); 0 is the machine's own.
	CodePage int
	// Env is added to the machine's environment.
	Env []EnvVar
}

// EnvVar is one environment variable of a shell.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Starter starts processes for the server.
type Starter interface {
	// Start begins the command. The context bounds the start alone, not the run. Where Windows
	// refuses the command, the error is a *StartError.
	Start(ctx context.Context, spec CommandSpec) (Process, error)
}

// Process is a running command.
type Process interface {
	// Stdin takes the command's input; closing it is the end of the input.
	Stdin() io.WriteCloser
	// Stdout and Stderr end with io.EOF once nothing can write to them any more.
	// The caller closes them after that.
	Stdout() io.ReadCloser
	Stderr() io.ReadCloser
	// Wait gives the full 32-bit exit code of the command itself, once it ended.
	Wait() (uint32, error)
	// Kill ends the command and everything it started. It may be called at any time, and again.
	Kill()
	// Close lets go of what the command left running, which ends it: called once, with its shell.
	Close()
}

// StartError says that Windows could not start a command.
type StartError struct {
	Code uint32 // the Windows error: 2 is a program that was not found
	Err  error
}

func (e *StartError) Error() string { return "starting the command: " + e.Err.Error() }

func (e *StartError) Unwrap() error { return e.Err }

// Package winside is the sandbox's part inside the Wine prefix: the runner that starts each
// WinRM command and reports its full exit code, and the programs that stand where Wine has
// stubs which do nothing and return 0. It is dispatched from the guest helper's main, by the
// name under which that was started, and does nothing on a real machine.
package winside

import (
	"path"
	"strings"
)

// RunCommand is the hidden subcommand of the runner.
const RunCommand = "sandbox-run"

// ExitMissing is what cmd.exe ends with for a program that it cannot find.
const ExitMissing = 9009

// ControlFile is where the sandbox's Linux side says how to reach it, as JSON of Control.
const ControlFile = `Z:\run\envctl\control.json`

// Control is the address of the sandbox's Linux side and the word it wants to hear first.
type Control struct {
	Address string `json:"address"`
	Token   string `json:"token"`
}

// Hello is the first line on a connection to the sandbox's Linux side, as JSON.
type Hello struct {
	Token string `json:"token"`
	// Do is "run", "reboot", "shutdown" or "abort".
	Do string `json:"do"`
	// ID is the command to run.
	ID string `json:"id,omitempty"`
	// Delay in seconds, of a reboot or shutdown.
	Delay int `json:"delay,omitempty"`
}

// Spec is the answer to "run": what to run.
type Spec struct {
	Line  string   `json:"line"`
	Shell bool     `json:"shell"`
	Dir   string   `json:"dir,omitempty"`
	Env   []string `json:"env,omitempty"` // NAME=value
	// CodePage is what the console writes in; 0 leaves Wine's.
	CodePage int `json:"code_page,omitempty"`
}

// Report is what the runner says, a line of JSON each: that the command started or could not,
// and then its exit code.
type Report struct {
	Started bool    `json:"started,omitempty"`
	Error   string  `json:"error,omitempty"`
	Code    uint32  `json:"code,omitempty"` // of Error: the Windows error
	Exit    *uint32 `json:"exit,omitempty"`
}

// baseName gives the name under which a program was started, without folder and extension.
func baseName(arg0 string) string {
	name := strings.ToLower(path.Base(strings.ReplaceAll(arg0, `\`, "/")))
	return strings.TrimSuffix(name, ".exe")
}

package winside

import (
	"fmt"
	"io"
	"strings"
)

// Stubs are the programs of which Wine has only a pretence, or nothing. Each is answered by a
// failure that says so; powershell, pwsh and shutdown have code of their own.
var stubs = []string{"certutil", "dism", "icacls", "netsh", "schtasks", "wevtutil"}

// Stubs gives the names that the sandbox stands in for, in system32.
func Stubs() []string {
	return append([]string{"powershell", "pwsh", "shutdown"}, stubs...)
}

// exitUnsupported is Windows' ERROR_NOT_SUPPORTED.
const exitUnsupported = 50

func unsupported(name string, args []string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s: not available in the envctl sandbox, which is Wine and not Windows; nothing was done (%s).\r\n"+
		"Use a real Windows machine for this step.\r\n", name, strings.Join(append([]string{name}, args...), " "))
	return exitUnsupported
}

func noPowerShell(name string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "'%s' is not available in the envctl sandbox: Wine has no PowerShell.\r\n"+
		"Name a folder with PowerShell for Windows in ENVCTL_SANDBOX_PWSH, or use a real Windows machine.\r\n", name)
	return ExitMissing
}

// netVerbs are what Wine's net.exe really does. The others it answers with its usage and 0.
var netVerbs = []string{"start", "stop", "use", "help", "/?"}

// shutdownRequest reads shutdown's arguments. Windows waits 30 seconds unless /t says otherwise.
func shutdownRequest(args []string) (Hello, error) {
	h := Hello{Delay: 30}
	for i := 0; i < len(args); i++ {
		arg := strings.ToLower(args[i])
		if arg == "" || (arg[0] != '/' && arg[0] != '-') {
			return h, fmt.Errorf("%q is not understood", args[i])
		}
		switch arg[1:] {
		case "r", "g":
			h.Do = "reboot"
		case "s", "p":
			h.Do = "shutdown"
		case "a":
			h.Do = "abort"
		case "f", "hybrid", "soft":
		case "t":
			i++
			if i == len(args) {
				return h, fmt.Errorf("/t needs seconds")
			}
			if _, err := fmt.Sscanf(args[i], "%d", &h.Delay); err != nil || h.Delay < 0 {
				return h, fmt.Errorf("/t %s: not a number of seconds", args[i])
			}
		case "c", "d":
			i++ // a comment or reason
		default:
			return h, fmt.Errorf("%s is not supported in the sandbox", args[i])
		}
	}
	if h.Do == "" {
		return h, fmt.Errorf("one of /r, /s and /a is needed")
	}
	return h, nil
}

package winside

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// pwshPath is where a folder with PowerShell for Windows is mounted, if the user has one.
const pwshPath = `Z:\opt\envctl\pwsh\pwsh.exe`

// Main runs what os.Args asks of the sandbox. handled is false where that is nothing of ours.
func Main(args []string) (handled bool, code int) {
	if len(args) == 0 {
		return false, 0
	}
	name := baseName(args[0])
	switch {
	case name == "powershell" || name == "pwsh":
		return true, powershell(name, args[1:])
	case name == "net":
		return true, netCommand(args[1:])
	case name == "shutdown":
		return true, shutdown(args[1:])
	case slices.Contains(stubs, name):
		return true, unsupported(name, args[1:], os.Stderr)
	case len(args) == 4 && args[1] == RunCommand:
		code, err := run(args[2], args[3])
		if err != nil {
			fmt.Fprintf(os.Stderr, "sandbox: %v\r\n", err)
			return true, 1
		}
		return true, code
	}
	return false, 0
}

func powershell(name string, args []string) int {
	if _, err := os.Stat(pwshPath); err != nil {
		return noPowerShell(name, os.Stderr)
	}
	return pass(name, pwshPath, args)
}

// wineNet is Wine's own net.exe, in whose place we stand.
const wineNet = `Z:\usr\lib\x86_64-linux-gnu\wine\x86_64-windows\net.exe`

// netCommand leaves to Wine's net what it can do, lists the accounts, and fails for the rest.
func netCommand(args []string) int {
	verb := ""
	if len(args) > 0 {
		verb = strings.ToLower(args[0])
	}
	switch {
	case slices.Contains(netVerbs, verb):
		return pass("net", wineNet, args)
	case verb == "user" && len(args) == 1:
		fmt.Printf("\r\nUser accounts for \\\\%s\r\n\r\n%s\r\nThe command completed successfully.\r\n", os.Getenv("COMPUTERNAME"), os.Getenv("USERNAME"))
		return 0
	}
	return unsupported("net", args, os.Stderr)
}

// pass runs another program in our place.
func pass(name, program string, args []string) int {
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\r\n", name, err)
		return 1
	}
	return 0
}

func shutdown(args []string) int {
	h, err := shutdownRequest(args)
	if err == nil {
		err = tell(h)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "shutdown: %v\r\n", err)
		return 1
	}
	return 0
}

// tell hands a request to the sandbox's Linux side and waits until it is taken.
func tell(h Hello) error {
	raw, err := os.ReadFile(ControlFile)
	if err != nil {
		return fmt.Errorf("this is not the envctl sandbox: %w", err)
	}
	var c Control
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("reading %s: %w", ControlFile, err)
	}
	h.Token = c.Token
	conn, err := net.Dial("tcp", c.Address)
	if err != nil {
		return fmt.Errorf("reaching the sandbox: %w", err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(h); err != nil {
		return fmt.Errorf("asking the sandbox: %w", err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("waiting for the sandbox: %w", err)
	}
	if line = strings.TrimSpace(line); line != "ok" {
		return errors.New(line)
	}
	return nil
}

package guest

import (
	"fmt"
	"path/filepath"
	"strings"
)

// cmdLine is what makes cmd.exe run a line without AutoRun commands and with its quotes as they are.
func cmdLine(line string) string { return `cmd.exe /d /s /c "` + line + `"` }

// interpreted says where a script is written, what line runs it and how its text is encoded there.
//
// PowerShell gets its preferences in the line, not in the file: a param block or a using statement
// must come first there, and errors should name the lines that the author knows. Its file begins
// with a byte order mark, without which Windows PowerShell takes it for the machine's code page.
func interpreted(interpreter, dir, text string) (file, line, body string, err error) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	switch interpreter {
	case "cmd":
		file = filepath.Join(dir, "script.cmd")
		return file, cmdLine(`chcp 65001 >nul & call "` + file + `"`), text, nil
	case "powershell", "pwsh":
		file = filepath.Join(dir, "script.ps1")
		command := "$ErrorActionPreference='Stop'; $ProgressPreference='SilentlyContinue'; " +
			"[Console]::OutputEncoding=[Text.Encoding]::UTF8; " +
			"& '" + strings.ReplaceAll(file, "'", "''") + "'; exit $LASTEXITCODE"
		line = interpreter + `.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -Command "` + command + `"`
		return file, line, "\ufeff" + text, nil
	}
	return "", "", "", fmt.Errorf("no interpreter %q: powershell, pwsh or cmd", interpreter)
}

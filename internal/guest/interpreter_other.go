//go:build !windows

package guest

import (
	"fmt"
	"path/filepath"
)

func cmdLine(line string) string { return line }

// interpreted knows "sh" alone.
func interpreted(interpreter, dir, text string) (file, line, body string, err error) {
	if interpreter != "sh" {
		return "", "", "", fmt.Errorf("no interpreter %q on this system", interpreter)
	}
	file = filepath.Join(dir, "script.sh")
	return file, "sh " + quoteArgs([]string{file}), text, nil
}

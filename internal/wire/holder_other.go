//go:build !linux

package wire

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// holder names the process that listens on a port as lsof(8) tells, or gives "" where there is no lsof.
func holder(ctx context.Context, port int) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "lsof", "-nP", fmt.Sprintf("-iTCP:%d", port), "-sTCP:LISTEN", "-Fpc").Output()
	if err != nil {
		return ""
	}
	var pid string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "p"):
			pid = line[1:]
		case strings.HasPrefix(line, "c"):
			return fmt.Sprintf("%s (pid %s)", line[1:], pid)
		}
	}
	return ""
}

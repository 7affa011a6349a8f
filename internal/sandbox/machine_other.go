//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"log/slog"
)

// runMachine needs Linux: the sandbox runs in a container.
func runMachine(context.Context, Config, *slog.Logger) error {
	return errors.New("the sandbox runs on Linux only; start it in its container")
}

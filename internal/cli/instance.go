package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/envctl/envctl/internal/lazyregexp"
)

var instanceName = lazyregexp.New(`^[a-z0-9][a-z0-9-]{0,30}$`)

// instanceID gives the name of an instance: what --name says, or a short hash of this computer and the
// spec's real folder, so that two checkouts, or two people on one engine, never meet.
func (a *app) instanceID(dir string) (string, error) {
	name := a.instanceName()
	if name != "" {
		if !instanceName.MatchString(name) {
			return "", usagef("the instance name %q may hold lower-case letters, digits and dashes only, 31 at the most", name)
		}
		return name, nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("the spec's folder: %w", err)
	}
	return folderID(real), nil
}

// folderID names the instance of a folder of this computer.
func folderID(real string) string {
	sum := sha256.Sum256([]byte(computerID() + "\x00" + real))
	return hex.EncodeToString(sum[:4])
}

// instanceName is the name that somebody gave: --name, or ENVCTL_NAME.
func (a *app) instanceName() string {
	if a.name != "" {
		return a.name
	}
	name, _ := a.Getenv("ENVCTL_NAME")
	return name
}

// computerID is something that stays the same on one computer and differs on the next.
func computerID() string {
	if id, err := platformID(); err == nil && id != "" {
		return id
	}
	name, _ := os.Hostname()
	return name
}

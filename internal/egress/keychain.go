package egress

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// systemKeychain is where a company's device management puts its CAs on macOS.
const systemKeychain = "/Library/Keychains/System.keychain"

// Keychain gives the authorities in the macOS system keychain, PEM, with the system's own command. It is "" where
// there are none.
func Keychain(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "security", "find-certificate", "-a", "-p", systemKeychain)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("security find-certificate: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return Authorities(out), nil
}

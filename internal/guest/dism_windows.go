package guest

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// dism runs DISM of System32.
func dism(ctx context.Context, args ...string) (uint32, string, error) {
	if underWine() {
		return 0, "", errNoFeatures
	}
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return 0, "", err
	}
	p, err := startProcess(command{line: quoteArgs(append([]string{filepath.Join(system, "dism.exe")}, args...))})
	if err != nil {
		return 0, "", err
	}
	var out, errs bytes.Buffer
	code, err := p.run(ctx, &out, &errs)
	if err != nil {
		return 0, "", fmt.Errorf("dism: %w", err)
	}
	return code, out.String() + errs.String(), nil
}

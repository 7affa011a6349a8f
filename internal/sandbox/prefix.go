//go:build unix

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// prefix is the folder of a Wine prefix.
type prefix string

var envReference = lazyregexp.New(`%[^%]+%`)

// path gives the Linux path of a Windows path on drive C:, in which a few of the machine's
// variables may stand. Wine's names have no case, so an existing name is found whatever its case.
func (p prefix) path(windows string) (string, error) {
	vars := map[string]string{
		"%programdata%":  `C:\ProgramData`,
		"%systemroot%":   `C:\windows`,
		"%windir%":       `C:\windows`,
		"%systemdrive%":  `C:`,
		"%programfiles%": `C:\Program Files`,
		"%public%":       `C:\users\Public`,
		"%userprofile%":  `C:\users\` + account,
		"%temp%":         `C:\users\` + account + `\AppData\Local\Temp`,
	}
	full := envReference.ReplaceAllStringFunc(windows, func(ref string) string {
		if v, ok := vars[strings.ToLower(ref)]; ok {
			return v
		}
		return ref // as Windows leaves what it does not know
	})
	full = strings.ReplaceAll(full, "/", `\`)
	rest, ok := strings.CutPrefix(strings.ToUpper(full[:min(3, len(full))]), `C:\`)
	if !ok || rest != "" {
		return "", fmt.Errorf("%q is not a path on the drive C", windows)
	}
	at := filepath.Join(string(p), "drive_c")
	for part := range strings.SplitSeq(full[3:], `\`) {
		switch part {
		case "", ".":
		case "..":
			return "", fmt.Errorf("%q goes upwards", windows)
		default:
			at = filepath.Join(at, sameName(at, part))
		}
	}
	return at, nil
}

// sameName gives the name in dir that is name but for its case, or name.
func sameName(dir, name string) string {
	if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
		return name
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return name
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			return e.Name()
		}
	}
	return name
}

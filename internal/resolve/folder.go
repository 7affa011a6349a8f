package resolve

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// folderSum is the sha256 over the paths and contents of a folder's files, in the order of their paths.
// Times, modes and owners count for nothing, and neither does what git keeps for itself.
func folderSum(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	h := sha256.New()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(filepath.Join(dir, path))
			fmt.Fprintf(h, "%q -> %q\n", path, target)
			return err
		case !d.Type().IsRegular():
			return nil
		}
		return addFile(h, root, path)
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func addFile(h io.Writer, root *os.Root, path string) error {
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	one := sha256.New()
	if _, err := io.Copy(one, f); err != nil {
		return err
	}
	_, err = fmt.Fprintf(h, "%q %x\n", path, one.Sum(nil))
	return err
}

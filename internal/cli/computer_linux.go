package cli

import "os"

func platformID() (string, error) {
	id, err := os.ReadFile("/etc/machine-id")
	return string(id), err
}

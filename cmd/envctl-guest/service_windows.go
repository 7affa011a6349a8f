package main

import (
	"fmt"
	"os"

	"github.com/envctl/envctl/internal/guest"
)

// service is what the service manager starts the helper with.
func service(args []string) (code int, handled bool) {
	if len(args) == 0 || args[0] != guest.RunService {
		return 0, false
	}
	code, err := guest.ServiceThroughHelper()
	if err != nil {
		fmt.Fprintln(os.Stderr, "envctl-guest:", err)
	}
	return code, true
}

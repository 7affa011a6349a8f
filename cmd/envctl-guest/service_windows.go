package main

import (
	"fmt"
	"os"

	"github.com/envctl/envctl/internal/guest"
)

// service is what the service manager starts the helper with.
func service(args []string) (code int, handled bool) {
	if len(args) == 0 {
		return 0, false
	}
	var err error
	switch {
	case args[0] == guest.RunService:
		code, err = guest.ServiceThroughHelper()
	case args[0] == guest.RunApp && len(args) == 2:
		err = guest.ServeApp(args[1])
	default:
		return 0, false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "envctl-guest:", err)
		code = max(code, 1)
	}
	return code, true
}

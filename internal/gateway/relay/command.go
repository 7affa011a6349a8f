package relay

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

const usage = `usage: envctl-node gateway run|status|check|reload
`

// Command is `envctl-node gateway`; args begins with the verb. It returns the exit code: 0 done, 1 failed (for
// check: not ready, the reasons on stderr), 64 for usage.
func Command(ctx context.Context, args []string, connect Connect, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 64
	}
	o := Options{Connect: connect}
	flags := flag.NewFlagSet("gateway "+args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.Config, "config", ConfigPath, "`file` that says how the machine is reached")
	flags.StringVar(&o.Wires, "wires", WiresPath, "`file` that says what to carry")
	flags.StringVar(&o.Control, "control", ControlPath, "Unix `socket` for status, check and reload")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() > 0 {
		return 64
	}
	var err error
	switch args[0] {
	case "run":
		o.Log = slog.New(slog.NewTextHandler(stdout, nil))
		err = Run(ctx, o)
	case "status", "reload", "check":
		err = query(ctx, args[0], o.Control, stdout)
	default:
		fmt.Fprint(stderr, usage)
		return 64
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func query(ctx context.Context, verb, control string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	method, path := http.MethodGet, "/status"
	if verb == "reload" {
		method, path = http.MethodPost, "/reload"
	}
	s, err := ask(ctx, control, method, path)
	switch {
	case err != nil:
		return err
	case verb == "check":
		return s.Ready()
	case verb == "reload" && s.ConfigError != "":
		return errors.New(s.ConfigError)
	case verb == "reload":
		return nil
	}
	e := json.NewEncoder(stdout)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

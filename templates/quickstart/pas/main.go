// Command pas is the legacy practice system of the quickstart: a native Windows service that keeps
// patients in PostgreSQL, answers JSON on port 8080 and HL7 on port 2575. It stands for the installed
// product that such an environment is built around, and knows nothing of envctl.
//
// On Windows it reads HKLM\SOFTWARE\PAS and %ProgramData%\PAS\db.secret, and `pas service` is what
// the service manager runs. Anywhere else, and with `pas` alone, it runs in the console; away from
// Windows its settings are the environment variables PAS_DBHOST, PAS_DBPORT, PAS_DBNAME, PAS_DBUSER,
// PAS_SECRET_FILE and PAS_CLINIC.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"

	"github.com/envctl/envctl/templates/quickstart/pas/practice"
)

const (
	apiAddress  = ":8080"
	mllpAddress = ":2575"
)

func main() {
	if err := start(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pas:", err)
		os.Exit(1)
	}
}

func start(args []string) error {
	if len(args) == 1 && args[0] == "service" {
		return runService()
	}
	if len(args) > 0 {
		return fmt.Errorf("unknown argument %q; run it without one for the console, or with \"service\" from the service manager", args[0])
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return run(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)), func() {})
}

// run serves until ctx ends; it calls listening once both ports are open.
func run(ctx context.Context, log *slog.Logger, listening func()) error {
	api, err := net.Listen("tcp", apiAddress)
	if err != nil {
		return fmt.Errorf("open the API's port: %w", err)
	}
	mllp, err := net.Listen("tcp", mllpAddress)
	if err != nil {
		api.Close()
		return fmt.Errorf("open the HL7 port: %w", err)
	}
	log.Info("listening", "api", api.Addr().String(), "hl7", mllp.Addr().String())
	listening()
	return practice.NewServer(settings, log).Serve(ctx, api, mllp)
}

// readSecret gives a secret file's text without the line end that an editor adds.
func readSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the database password: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

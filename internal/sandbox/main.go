package sandbox

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Main is the container's role: "serve" runs the machine, "check" asks whether it answers. It
// gives the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := errors.New("want serve or check")
	if len(args) > 0 {
		switch args[0] {
		case "serve":
			err = serve(ctx, args[1:], stderr)
		case "check":
			err = check(ctx, args[1:])
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "envctl-node sandbox:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	config := flags.String("config", ConfigPath, "the configuration's `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := loadConfig(*config)
	if err != nil {
		return err
	}
	return runMachine(ctx, c, slog.New(slog.NewTextHandler(stderr, nil)))
}

// checkTimeout bounds the health check.
const checkTimeout = 5 * time.Second

// check asks the server who it is, as a client does before it has authenticated.
func check(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	port := flags.Int("port", HTTPPort, "the HTTP `port`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	body := `<s:Envelope xmlns:s="` + nsSOAP + `"><s:Header/><s:Body><i:Identify xmlns:i="` + nsID + `"/></s:Body></s:Envelope>`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/wsman", *port), strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("WSMANIDENTIFY", "unauthenticated")
	req.Header.Set("Content-Type", soapType)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the sandbox does not answer yet: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the sandbox answered %s", answer.Status)
	}
	return nil
}

// Command bench measures envctl as its users run it, side by side with Docker Compose where that is there:
// the same containers with the same settings, by turns in one run, so that what the machine does
// meanwhile falls on both. A figure is a median; what counts is the ratio.
//
//	bench [-full] [-only REGEXP] [-envctl bin/envctl]
//
// Compose is $COMPOSE_BIN, or "docker compose"; without it envctl is measured alone. What is put
// up is taken down again, also after Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
)

func main() {
	full := flag.Bool("full", false, "every size, more rounds, and the quickstart; takes a quarter of an hour")
	only := flag.String("only", "", "measure what matches this expression only")
	binary := flag.String("envctl", "bin/envctl", "the envctl to measure")
	image := flag.String("image", "debian:trixie-slim", "image of the containers; it must be there already")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *binary, *image, *only, *full); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, binary, image, only string, full bool) (err error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "envctl-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{
		ctx: ctx, dir: dir, image: image, full: full, match: match, out: os.Stdout,
		envctl: tool{name: "envctl", argv: []string{binary}, env: []string{"ENVCTL_STATE_DIR=" + filepath.Join(dir, "state")}},
	}
	if b.compose, err = findCompose(ctx); err != nil {
		fmt.Fprintf(b.out, "Docker Compose is left out: %v\n", err)
	}
	if b.engine, err = findEngine(ctx); err != nil {
		fmt.Fprintf(b.out, "the engine alone is left out: %v\n", err)
	}
	if err := b.versions(); err != nil {
		return err
	}
	b.head()
	for _, group := range []func() error{b.startup, b.language, b.containers, b.quickstart} {
		if err := group(); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/envctl/envctl/internal/gateway/relay"
	"github.com/envctl/envctl/providers/windows/remote"
	"github.com/envctl/envctl/providers/windows/winrm"
)

// gateway is the gateway's role with a real machine behind it. It returns the exit code.
func gateway(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	helper := sync.OnceValues(func() (helperFile, error) { return loadHelper(relay.HelperPath) })
	log := slog.New(slog.NewTextHandler(stdout, nil))
	return relay.Command(ctx, args, func(ctx context.Context, m relay.Machine) (relay.Link, error) {
		h, err := helper()
		if err != nil {
			return nil, err
		}
		return connectRemote(ctx, m, h, log)
	}, stdout, stderr)
}

func connectRemote(ctx context.Context, m relay.Machine, h helperFile, log *slog.Logger) (relay.Link, error) {
	c, err := remote.Connect(ctx, remote.Machine{
		WinRM: winrm.Config{
			Address: m.Address, Port: m.Port, HTTPS: m.HTTPS, User: m.User, Password: m.Password,
			Auth: m.Auth, Insecure: m.Insecure, Fingerprint: m.Fingerprint, CAPEM: []byte(m.CA), ServerName: m.ServerName,
		},
		HelperGzip: h.gzip, HelperSHA256: h.sum, Log: log,
	})
	if err != nil {
		return nil, err // and not a Link that holds a nil
	}
	return c, nil
}

// helperFile is the guest helper as it travels, and what it is.
type helperFile struct {
	gzip []byte
	sum  string // SHA-256 of the executable, lower-case hex
}

// loadHelper reads the guest helper, gzipped or not.
func loadHelper(path string) (helperFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return helperFile{}, fmt.Errorf("the guest helper: %w", err)
	}
	sum := sha256.New()
	if zr, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		if _, err := io.Copy(sum, zr); err != nil {
			return helperFile{}, fmt.Errorf("the guest helper: %w", err)
		}
		return helperFile{data, hex.EncodeToString(sum.Sum(nil))}, nil
	}
	sum.Write(data)
	var packed bytes.Buffer
	zw, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err == nil {
		if _, err = zw.Write(data); err == nil {
			err = zw.Close()
		}
	}
	if err != nil {
		return helperFile{}, fmt.Errorf("the guest helper: %w", err)
	}
	return helperFile{packed.Bytes(), hex.EncodeToString(sum.Sum(nil))}, nil
}

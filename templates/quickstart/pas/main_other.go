//go:build !windows

package main

import (
	"errors"
	"os"

	"github.com/envctl/envctl/templates/quickstart/pas/practice"
)

func runService() error { return errors.New("the service manager is Windows' own") }

func settings() (practice.Config, error) {
	cfg := practice.Config{
		DbHost: os.Getenv("PAS_DBHOST"),
		DbPort: os.Getenv("PAS_DBPORT"),
		DbName: os.Getenv("PAS_DBNAME"),
		DbUser: os.Getenv("PAS_DBUSER"),
		Clinic: os.Getenv("PAS_CLINIC"),
	}
	if path := os.Getenv("PAS_SECRET_FILE"); path != "" {
		var err error
		if cfg.Password, err = readSecret(path); err != nil {
			return practice.Config{}, err
		}
	}
	return cfg, nil
}

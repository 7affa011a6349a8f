//go:build !windows

package main

func runService(run func() error) error { return run() }

//go:build !windows

package main

func service([]string) (code int, handled bool) { return 0, false }

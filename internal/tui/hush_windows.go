package tui

import "os"

// hush does nothing: whoever reads the console by package cancelreader has it hushed meanwhile.
func hush(*os.File) (restore func() error, err error) { return func() error { return nil }, nil }

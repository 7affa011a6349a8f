// Package envspec is the language: it loads the *.envctl.hcl files of a folder, finds every
// mistake in them at once, says what exists, and evaluates each body at its own vantage.
// It reads the files it is pointed at and does no other I/O; where endpoints get their addresses and
// credentials their values is asked through the interfaces in contract.go.
package envspec

//go:generate go test . -run ^TestLanguageDocument$ -update

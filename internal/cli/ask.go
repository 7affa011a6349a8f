package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// consent is how a command that takes something away gets a person's leave.
type consent struct{ yes, noInput bool }

func (c *consent) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&c.noInput, "no-input", false, "never ask: without --yes, change nothing and fail")
}

// errNotAgreed ends a command whose question was answered with no.
var errNotAgreed = errors.New("nothing was changed")

// ask puts a question that is answered with yes or no. Where nobody can answer, it says how to agree beforehand.
func (a *app) ask(c consent, question string) error {
	switch {
	case c.yes:
		return nil
	case c.noInput || a.json || !isTerminal(a.In):
		return fmt.Errorf("%w: nobody is there to be asked; agree with --yes", errNotAgreed)
	}
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // nothing ends a read of a terminal, so nobody waits for the end of this
		line, _ := bufio.NewReader(a.In).ReadString('\n') // without an answer it is no
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-a.interrupts.stop.Done():
		fmt.Fprintln(a.Err)
		return errInterrupted
	case word := <-answer:
		if word == "y" || word == "yes" {
			return nil
		}
		return errNotAgreed
	}
}

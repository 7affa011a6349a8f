package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/view"
)

func (a *app) credentialsCommand() *cobra.Command {
	var reveal string
	c := &cobra.Command{
		Use:   "credentials",
		Short: "Show the credentials of the spec",
		Long: `Show the credentials of the spec: where each has its value from, which version this computer has, and what in the
environment that is up has which. Values are not shown; --reveal prints one password and nothing else.`,
		Example: "  envctl credentials\n  envctl credentials --reveal db\n  envctl credentials rotate db",
		Args:    noSuchCommand,
		RunE: func(*cobra.Command, []string) error {
			if reveal != "" {
				return a.reveal(reveal)
			}
			return a.credentialList()
		},
	}
	a.specFlags(c)
	c.Flags().StringVar(&reveal, "reveal", "", "print the password of the credential of this `name`")
	_ = c.RegisterFlagCompletionFunc("reveal", a.completeCredentials) // fails only for a flag that is not there
	rotate := &cobra.Command{
		ValidArgsFunction: a.completeCredentials,
		Use:               "rotate NAME",
		Short:             "Give a generated credential a new value",
		Long: `Give a generated credential a new value. What uses the old one goes on with it until "envctl up", which replaces it.
A database that keeps its users in a named volume keeps the old password there: tell it the new one.`,
		Example: "  envctl credentials rotate db && envctl up",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.rotate(args[0]) },
	}
	a.specFlags(rotate)
	wrapArgs(rotate)
	c.AddCommand(rotate)
	return c
}

type credentialsOutput struct {
	Format      int              `json:"format"`
	Credentials []credentialLine `json:"credentials"`
}

type credentialLine struct {
	Name    string `json:"name"`
	Source  string `json:"source"`
	Version string `json:"version,omitempty"` // "" where it is yet to be generated, or cannot be had
	Problem string `json:"problem,omitempty"`
	// UsedBy are the containers that have a value of it, by address, and its version there.
	UsedBy map[string]string `json:"used_by"`
}

func (a *app) credentialList() error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.observe(a.interrupts.stop); err != nil {
		return err
	}
	out := credentialsOutput{Format: view.Format, Credentials: []credentialLine{}}
	for _, source := range s.spec.Credentials() {
		out.Credentials = append(out.Credentials, s.credentialLine(source))
	}
	if a.json {
		return json.NewEncoder(a.Out).Encode(out)
	}
	rows := [][]string{{"NAME", "VERSION", "SOURCE", "USED BY"}}
	for _, c := range out.Credentials {
		var users []string
		for user, version := range c.UsedBy {
			if version != c.Version {
				user += " (version " + shortVersion(version) + ")"
			}
			users = append(users, user)
		}
		slices.Sort(users)
		version := shortVersion(c.Version)
		if version == "" {
			version = "none"
		}
		source := c.Source
		if c.Problem != "" {
			source += " (" + c.Problem + ")"
		}
		rows = append(rows, []string{c.Name, version, source, join(users)})
	}
	return view.Table(a.Out, rows, a.colorOut())
}

// shortVersion is as much of a version as tells two apart.
func shortVersion(version string) string { return version[:min(8, len(version))] }

func (s *session) credentialLine(source envspec.CredentialSource) credentialLine {
	c := credentialLine{Name: source.Name, Source: sourceText(source), UsedBy: map[string]string{}}
	_, there, err := s.secrets.Existing(s.interrupts.stop, source.Name)
	if err != nil {
		c.Problem = err.Error()
	}
	if there || err != nil {
		if v, err := s.secrets.Version(s.interrupts.stop, source.Name); err == nil {
			c.Version = v.ID
		}
	}
	for _, o := range s.observed {
		if v, used := version(o.Meta, source.Name); used && o.Addr.Kind != addr.Gateway {
			c.UsedBy[o.Addr.String()] = v.ID
		}
	}
	return c
}

// sourceText says where a value comes from: never the value, nor a command's arguments, which may be a token.
func sourceText(s envspec.CredentialSource) string {
	switch {
	case s.Generate != nil:
		return "generated"
	case s.Env != nil:
		return "environment variable " + s.Env.Password
	case s.File != nil:
		return "file " + s.File.Path
	case len(s.Command) > 0:
		return "command " + s.Command[0]
	case s.Keychain != nil:
		return strings.TrimSpace("keychain item " + s.Keychain.Service + " " + s.Keychain.Account)
	}
	return ""
}

func (a *app) reveal(name string) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.observe(a.interrupts.stop); err != nil { // for the versions that are in use
		return err
	}
	v, err := existing{a.interrupts.stop, s.secrets}.Credential(name)
	if err != nil {
		return err
	}
	if a.json {
		return json.NewEncoder(a.Out).Encode(struct {
			Format   int    `json:"format"`
			Name     string `json:"name"`
			Username string `json:"username"`
			Password string `json:"password"`
		}{view.Format, name, v.Username, v.Password})
	}
	_, err = fmt.Fprintln(a.Out, v.Password)
	return err
}

func (a *app) rotate(name string) error {
	ctx := a.interrupts.stop
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	held, err := a.lockInstance(ctx, s.instance)
	if err != nil {
		return err
	}
	defer held.Release()
	v, err := s.secrets.Rotate(ctx, name)
	if err != nil {
		return err
	}
	a.say("Credential %s has a new value, version %s; \"envctl up\" brings it to what uses it.", name, shortVersion(v.ID))
	return nil
}

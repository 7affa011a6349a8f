package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of envctl",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			version, commit := buildVersion(a.version)
			if a.json {
				return json.NewEncoder(a.Out).Encode(struct {
					Format  int    `json:"format"`
					Version string `json:"version"`
					Commit  string `json:"commit"`
					Go      string `json:"go"`
					OS      string `json:"os"`
					Arch    string `json:"arch"`
				}{1, version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH})
			}
			fmt.Fprintf(a.Out, "envctl %s (%s/%s)\n", version, runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

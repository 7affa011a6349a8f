package docker

import (
	"strings"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// What engines say, Docker's and Podman's, of what their API has no code for.
var (
	nameTaken    = lazyregexp.New(`is already in use by`)
	notRunning   = lazyregexp.New(`is not running|is paused|on running containers`)
	startsPaused = lazyregexp.New(`paused|must be in Created or Stopped state`)
	networkInUse = lazyregexp.New(`active endpoints|network is being used`)
	// The runtime says exec: "NAME", or that it was not found, where the program is the trouble.
	noSuchProgram = lazyregexp.New(`OCI runtime exec failed.*exec: "|exec failed: unable to start container process: exec: "|invoke a command that was not found`)
)

func says(err error, what *lazyregexp.Regexp) bool {
	return err != nil && what.MatchString(err.Error())
}

// ourName reports whether envctl gave an image its name. Podman writes the registry before it that nobody named.
func ourName(tag string) bool {
	for _, registry := range []string{"docker.io/", "localhost/"} {
		tag = strings.TrimPrefix(tag, registry)
	}
	return strings.HasPrefix(tag, "envctl/")
}

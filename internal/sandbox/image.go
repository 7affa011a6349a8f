package sandbox

import (
	_ "embed"

	"github.com/envctl/envctl/internal/blob"
)

//go:embed Dockerfile
var dockerfile []byte

// BuildContext gives the files of the image's build context, the Dockerfile among them: node is
// cmd/envctl-node for linux/amd64, guestExe is cmd/envctl-guest for windows/amd64. The two come
// last in the image, so a new envctl builds in a second where the rest is cached.
//
// The image needs debian:trixie-slim and Debian's packages, once. It takes no privileges; run it
// with an init (HostConfig.Init), the Config at ConfigPath, and a host name of at most 15
// characters, which is the machine's name.
func BuildContext(node, guestExe blob.Blob) map[string]blob.Blob {
	return map[string]blob.Blob{
		"Dockerfile":       blob.Of(dockerfile),
		"envctl-node":      node,
		"envctl-guest.exe": guestExe,
	}
}

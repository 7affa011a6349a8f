package envspec

import "github.com/envctl/envctl/internal/blob"

// NodeBuild is the image of envctl-node and nothing else, in which its roles run that need no more. The command begins
// with the role.
func NodeBuild(node blob.Blob) *Build {
	return &Build{Tag: "node", Files: map[string]blob.Blob{
		"Dockerfile":  blob.Of([]byte("FROM scratch\nCOPY envctl-node /envctl-node\nENTRYPOINT [\"/envctl-node\"]\n")),
		"envctl-node": node,
	}}
}

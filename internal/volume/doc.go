// Package volume copies what is in one folder into another with all that a file system knows of it: owners, modes,
// times, links, extended attributes. It is a role of envctl's helper in containers, where the folders are volumes:
// so nothing of them goes through the computer that envctl runs on. Which volumes, is not known here.
package volume

// Command is what the helper is started with: it makes To hold what From holds, and nothing else.
func Command() []string { return []string{"volume", "copy", From, To} }

// Where the two volumes are mounted.
const (
	From = "/from"
	To   = "/to"
)

package cli

import "io"

// readerGone is asked after SIGPIPE alone, which Windows does not have.
func readerGone([]io.Writer) bool { return false }

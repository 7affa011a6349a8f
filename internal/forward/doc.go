// Package forward carries TCP connections from this computer into the network of an environment whose engine is
// elsewhere. Inside stands a small container; in it runs, started through the engine's own API, an SSH server that
// speaks over its standard input and output and opens connections. On this computer a
// Forwarder listens on 127.0.0.1 and carries each connection through. So whatever reaches the engine, ssh or TLS,
// is enough for its ports too. How the stream comes to be is left to the caller.
package forward

// InsideCommand is what to run in the forward's container: the end that Connect speaks to.
func InsideCommand() []string { return []string{"/envctl-node", "forward", "serve"} }

// WaitCommand keeps the forward's container running.
func WaitCommand() []string { return []string{"forward", "wait"} }

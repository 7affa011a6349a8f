// Package relay is what runs in a gateway container: it keeps one SSH connection to a Windows
// machine's guest helper, listens on the ports that containers use and forwards them into the
// machine, and has the machine listen for what it uses of the containers. It reconnects for ever;
// the wires are read again when their file changes, without cutting those that stay.
//
// How the machine is reached is the caller's (a Connect); which wires there are is decided when an
// environment is planned. The package is kept free of the spec's own packages, so that the binary that
// goes into the container stays small.
package relay

// Package guest is what envctl's helper does inside a Windows machine: an SSH server over the two
// pipes of one WinRM command, and the stack of layers, which it observes, applies and undoes.
//
// It decides nothing about the stack: the plan was made on the host, and the guest checks only that
// it fits what the machine's manifest says. The server, the manifest and the walk over the stack are
// the same on every system and are tested on all; a kind of layer that needs the Windows API is in a
// file of its own, layer_KIND_windows.go, and is tested over Wine.
package guest

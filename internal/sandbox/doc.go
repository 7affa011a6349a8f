// Package sandbox is a stand-in for a Windows machine: a WS-Management server
// ([MS-WSMV]) whose commands run under Wine, in a container. It is for trying a
// spec and for CI without a Windows machine, and it is not Windows: PowerShell is
// missing, and programs that Wine only pretends to have end with a failure.
//
// The server knows nothing of Wine. It starts commands through [Starter], which the
// container's role implements for a Wine prefix and tests implement as they like.
//
// The host side uses [Config], [NewCertificate] and [BuildContext]; the container's
// entry is [Main].
package sandbox

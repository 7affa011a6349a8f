package envspec

import (
	"github.com/envctl/envctl/internal/addr"
)

// EndpointDecl is a port that a spec declares, known before anything is evaluated.
type EndpointDecl struct {
	Endpoint addr.Endpoint
	Port     Port
}

// Addresses gives every endpoint the address that depends on who asks. internal/wire implements it.
type Addresses interface {
	// Address gives the host name and port number by which whoever stands at from reaches to.
	// From is the zero address for the host.
	Address(from addr.Addr, to addr.Endpoint) (host string, port int)
}

// CredentialValue is what a credential block comes to.
type CredentialValue struct {
	Username string
	Password string
}

// Credentials gives credentials their values: stand-ins that carry only a version while planning,
// the real ones at apply.
type Credentials interface {
	Credential(name string) (CredentialValue, error)
}

// CredentialSource is a credential block as written: exactly one of Generate, Env, File, Command and Keychain is set.
type CredentialSource struct {
	Name     string
	Username string // "" where the source gives it
	Generate *Generate
	Env      *EnvSource
	File     *FileSource
	Command  []string // prints the password on its first line
	Keychain *KeychainSource
}

// Generate makes a password of letters and digits once and keeps it.
type Generate struct{ Length int } // 0 means 24

// EnvSource names environment variables of the host.
type EnvSource struct{ Username, Password string }

// FileSource is a file whose first line is the password.
type FileSource struct{ Path string }

// KeychainSource is an item in the system's keychain.
type KeychainSource struct{ Service, Account string }

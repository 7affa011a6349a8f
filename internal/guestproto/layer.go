// Package guestproto is the vocabulary that envctl and its Windows helper share:
// what a layer is, what is asked of the helper and what it answers. It is plain
// data. The spec decodes into it, the plan hashes it, the guest applies it.
package guestproto

import (
	"strings"

	"github.com/envctl/envctl/internal/secret"
)

// Layer is one step of a Windows machine's stack. Exactly one of the pointers is set,
// and Kind says which.
type Layer struct {
	// Kind is the block's name in the spec: "package", "registry", …
	Kind string `json:"kind"`
	// Name is the block's label: for a registry or a file layer its key or path.
	Name string `json:"name"`
	// Hash covers this layer and every one under it; envctl sets it.
	Hash string `json:"hash,omitempty"`
	// Parts are what the layer is made of, by a name a person knows, as a plan may show it; never a secret.
	Parts map[string]string `json:"parts,omitempty"`

	Package  *Package  `json:"package,omitempty"`
	File     *File     `json:"file,omitempty"`
	Archive  *Archive  `json:"archive,omitempty"`
	Registry *Registry `json:"registry,omitempty"`
	Service  *Service  `json:"service,omitempty"`
	Env      *Env      `json:"env,omitempty"`
	Firewall *Firewall `json:"firewall,omitempty"`
	User     *User     `json:"user,omitempty"`
	Vault    *Vault    `json:"vault,omitempty"`
	ODBC     *ODBC     `json:"odbc,omitempty"`
	Script   *Script   `json:"script,omitempty"`
	App      *App      `json:"app,omitempty"`
	Reboot   *Reboot   `json:"reboot,omitempty"`

	Feature     *Feature     `json:"feature,omitempty"`
	Certificate *Certificate `json:"certificate,omitempty"`
	Task        *Task        `json:"task,omitempty"`
}

// ID names a layer within its machine: kind and name.
func (l Layer) ID() string { return l.Kind + "." + l.Name }

// Source is a file that a layer brings in. On the host Path names it; by the time a guest
// sees it the content is in the guest's cache under SHA256.
type Source struct {
	Path   string `json:"path,omitempty"` // on the host, absolute; not part of any hash
	URL    string `json:"-"`              // in place of Path: where the host fetches it; its query may hold a token
	SHA256 string `json:"sha256"`         // lower-case hex; "" where a URL's is for the lock to say
	Name   string `json:"name"`           // base name, with its extension
	Size   int64  `json:"size,omitempty"`
}

// Source is the file that a layer brings in; nil where it brings none.
func (l Layer) Source() *Source {
	switch {
	case l.Package != nil:
		return &l.Package.Source
	case l.Archive != nil:
		return &l.Archive.Source
	case l.File != nil:
		return l.File.Source
	case l.Certificate != nil:
		return l.Certificate.Source
	}
	return nil
}

// Where is the source as people may see it: its path, or its URL without the query.
func (s Source) Where() string {
	if s.URL == "" {
		return s.Path
	}
	shown, _, _ := strings.Cut(s.URL, "?")
	return shown
}

// Package installs an MSI or an EXE installer.
type Package struct {
	Source Source `json:"source"`
	// Args are added to the installer's own silent ones (/qn /norestart for an MSI).
	Args []secret.Text `json:"args,omitempty"`
	// Properties are MSI public properties. A sensitive one is refused: msiexec takes them on its command line.
	Properties map[string]secret.Text `json:"properties,omitempty"`
	// Uninstall is the command that removes an EXE's product; an MSI needs none.
	Uninstall []string `json:"uninstall,omitempty"`
	// Timeout in seconds; 0 means 30 minutes.
	Timeout int `json:"timeout,omitempty"`
}

// File is one file, its name the layer's name.
type File struct {
	Content *secret.Text `json:"content,omitempty"`
	Source  *Source      `json:"source,omitempty"`
	// Private limits reading to Administrators and SYSTEM; sensitive content is always private.
	Private bool `json:"private,omitempty"`
}

// Archive is a zip that is unpacked into the folder that the layer's name gives.
type Archive struct {
	Source Source `json:"source"`
	// Strip is how many leading folders to take off each name.
	Strip int `json:"strip,omitempty"`
}

// Registry sets values under the key that the layer's name gives ("HKLM\SOFTWARE\PAS").
type Registry struct {
	Values map[string]RegistryValue `json:"values"`
	// View is "64" (default) or "32".
	View string `json:"view,omitempty"`
}

// RegistryValue is one value; the name "" is the key's default value.
type RegistryValue struct {
	// Type is "sz", "expand_sz", "multi_sz", "dword", "qword" or "binary" (hex).
	Type  string      `json:"type"`
	Value secret.Text `json:"value"`
	// Items is set for multi_sz in place of Value.
	Items []secret.Text `json:"items,omitempty"`
}

// Service sets up the Windows service that the layer's name gives. Where Command is empty the
// service must exist already (a package brought it).
type Service struct {
	Command     string                 `json:"command,omitempty"`
	DisplayName string                 `json:"display_name,omitempty"`
	Startup     string                 `json:"startup,omitempty"` // "auto", "delayed", "manual", "disabled"
	State       string                 `json:"state,omitempty"`   // "running", "stopped"
	Env         map[string]secret.Text `json:"env,omitempty"`
	Account     string                 `json:"account,omitempty"` // a credential's user; empty is LocalSystem
	Password    *secret.Text           `json:"password,omitempty"`
	Timeout     int                    `json:"timeout,omitempty"` // seconds to reach State; 0 means 60
}

// Env sets one machine-wide environment variable, its name the layer's name.
type Env struct {
	Value secret.Text `json:"value"`
}

// Firewall opens a port inwards.
type Firewall struct {
	Port     int    `json:"port"`
	Protocol string `json:"protocol"` // "tcp" or "udp"
}

// User is a local account, its name the layer's name unless the credential names another.
type User struct {
	Name     string      `json:"name"`
	Password secret.Text `json:"password"`
	Groups   []string    `json:"groups,omitempty"`
}

// Vault is a generic credential in Credential Manager, its target the layer's name.
type Vault struct {
	Username string      `json:"username"`
	Password secret.Text `json:"password"`
}

// ODBC is a system data source, its name the layer's name.
type ODBC struct {
	Driver     string                 `json:"driver"`
	Attributes map[string]secret.Text `json:"attributes,omitempty"`
	Bits       int                    `json:"bits,omitempty"` // 64 (default) or 32
}

// Script runs a script. It is skipped where Creates exists or Unless ends with 0.
type Script struct {
	Interpreter string                 `json:"interpreter"` // "powershell", "pwsh", "cmd"
	Run         secret.Text            `json:"run"`
	Undo        *secret.Text           `json:"undo,omitempty"`
	Files       []Source               `json:"-"` // of the host that Run and Undo were read from, for the lock
	Creates     string                 `json:"creates,omitempty"`
	Unless      string                 `json:"unless,omitempty"`
	Env         map[string]secret.Text `json:"env,omitempty"`
	Timeout     int                    `json:"timeout,omitempty"` // seconds; 0 means 10 minutes
}

// App is a program kept running. In the session "service" it runs without a desktop.
type App struct {
	Command    string                 `json:"command"`
	Args       []secret.Text          `json:"args,omitempty"`
	WorkingDir string                 `json:"working_dir,omitempty"`
	Env        map[string]secret.Text `json:"env,omitempty"`
	Session    string                 `json:"session,omitempty"`
}

// Reboot restarts the machine: "pending" only where Windows asks for it.
type Reboot struct {
	When string `json:"when"`
}

// Feature is an optional feature of Windows that is turned on, its name the layer's name, as DISM has it.
type Feature struct {
	// Payload is a folder on the machine with the feature's files, where Windows itself has them not.
	Payload string `json:"payload,omitempty"`
	Timeout int    `json:"timeout,omitempty"` // seconds; 0 means 30 minutes
}

// Certificate is what goes into one of the machine's stores: certificates in PEM or DER, or a PFX with their keys.
type Certificate struct {
	// Store is "root", "ca", "my", "trustedpeople" or "trustedpublisher".
	Store   string       `json:"store"`
	Content *secret.Text `json:"content,omitempty"` // PEM
	Source  *Source      `json:"source,omitempty"`
	// Password opens a PFX.
	Password *secret.Text `json:"password,omitempty"`
}

// Task is a scheduled task in Task Scheduler's root folder, its name the layer's name. Of On, Daily and Every at
// most one is set; with none it runs only when it is told to.
type Task struct {
	Command    string       `json:"command"`
	Args       []string     `json:"args,omitempty"`
	WorkingDir string       `json:"working_dir,omitempty"`
	On         string       `json:"on,omitempty"`    // "boot" or "logon"
	Daily      string       `json:"daily,omitempty"` // "15:04", the machine's own time
	Every      int          `json:"every,omitempty"` // minutes
	RunNow     bool         `json:"run_now,omitempty"`
	Account    string       `json:"account,omitempty"` // a credential's user; empty is SYSTEM
	Password   *secret.Text `json:"password,omitempty"`
}

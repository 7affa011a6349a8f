package guestproto

import (
	"strings"
	"time"
)

// Version is the protocol's. A guest refuses a newer one, and a manifest written by a newer one.
const Version = 1

// Greeting is the guest's first line on stdout when it serves SSH over a pipe: JSON, one line.
// What follows on both pipes is the transparency check and then SSH.
type Greeting struct {
	Version int    `json:"version"`
	HostKey string `json:"host_key"` // the SSH host key of this run, authorized_keys form
	BootID  string `json:"boot_id"`  // changes with every boot of the machine
	// DataDir is the guest's folder, "C:\\ProgramData\\envctl"; see CacheFile.
	DataDir string `json:"data_dir,omitempty"`
}

// CacheFile is where a Source's content must lie before a layer with it is applied: over SFTP the
// sender writes to a temporary name beside it and renames. Slashes work in every Windows path.
func CacheFile(dataDir, sha256 string) string {
	return strings.ReplaceAll(dataDir, `\`, "/") + "/cache/" + sha256
}

// The commands that the guest's SSH server carries out itself. Each reads one JSON value from
// stdin; Observe and Check answer with one JSON value on stdout, Apply with a line an Event.
// Any other exec request is a Windows command line and runs as it is.
const (
	CommandObserve = "envctl:observe" // → Observation
	CommandApply   = "envctl:apply"   // ApplyRequest → Event lines
	CommandCheck   = "envctl:check"   // CheckRequest → CheckResult
)

// Owner says whose a machine's stack is.
type Owner struct {
	Environment string `json:"environment"`
	Instance    string `json:"instance"`
	SpecDir     string `json:"spec_dir,omitempty"`
}

// Manifest is what the guest records on the machine, %ProgramData%\envctl\manifest.json.
// It holds hashes and what was there before; never a secret.
type Manifest struct {
	Version int             `json:"version"`
	Owner   Owner           `json:"owner"`
	Layers  []ManifestLayer `json:"layers"`
	// PendingReboot is the boot id in which an installer asked for a restart; the request
	// is over once the machine has another.
	PendingReboot string `json:"pending_reboot,omitempty"`
}

// ManifestLayer is one applied layer, or one whose application began (Complete false).
type ManifestLayer struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Hash string `json:"hash"`
	// Parts are Layer.Parts; an earlier envctl left none.
	Parts map[string]string `json:"parts,omitempty"`

	Complete bool      `json:"complete"`
	Applied  time.Time `json:"applied"`
}

// Observation is what CommandObserve answers. Manifest is nil on a machine without one.
type Observation struct {
	BootID   string    `json:"boot_id"`
	Manifest *Manifest `json:"manifest,omitempty"`
	// Drifted has, by Layer.ID, in words what is no longer as the layer left it.
	Drifted map[string]string `json:"drifted,omitempty"`
	// Differences has, by Layer.ID, what is known of the parts that drifted. Not all that drifts has parts.
	Differences map[string][]Difference `json:"differences,omitempty"`
}

// Difference is one part of a layer that is not as the layer left it, each text as a plan may show it: of a secret
// neither what was left nor what is there now. "" says that there is none.
type Difference struct {
	Name string `json:"name"` // as in Layer.Parts where it is one of those
	Want string `json:"want,omitempty"`
	Is   string `json:"is,omitempty"`
}

// ApplyRequest makes the stack of a machine true: everything above Keep is undone in reverse
// order, then Layers[Keep:] are applied. The plan decided; the guest only checks that the
// manifest's first Keep layers have the hashes of Layers[:Keep].
type ApplyRequest struct {
	Owner  Owner   `json:"owner"`
	Layers []Layer `json:"layers"`
	Keep   int     `json:"keep"`
	// Forget removes the manifest and everything of ours once nothing is left (for down).
	Forget bool `json:"forget,omitempty"`
}

// Event is one line of CommandApply's answer. The last is "end"; its Error is set where the request
// failed, which also ends the command with exit status 1.
type Event struct {
	// Type is "undo", "apply", "log", "done", "failed", "reboot" (the machine restarts now:
	// connect again and send the request with what the manifest then says), or "end".
	Type    string `json:"type"`
	Layer   string `json:"layer,omitempty"` // Layer.ID
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"`
}

// CheckRequest asks whether something inside the machine is ready. One of the fields is set.
type CheckRequest struct {
	TCPPort int        `json:"tcp_port,omitempty"`
	HTTP    *HTTPCheck `json:"http,omitempty"`
	Exec    []string   `json:"exec,omitempty"`
	Timeout int        `json:"timeout,omitempty"` // milliseconds; 0 means 5000
}

// HTTPCheck is ready when the answer's status is Status, or 200 to 399 where Status is 0.
type HTTPCheck struct {
	Port   int    `json:"port"`
	Path   string `json:"path"`
	Scheme string `json:"scheme,omitempty"` // "http" (default) or "https", whose certificate is not checked
	Status int    `json:"status,omitempty"`
}

// CheckResult is CommandCheck's answer. Detail says in words what was seen when not ready.
type CheckResult struct {
	Ready  bool   `json:"ready"`
	Detail string `json:"detail,omitempty"`
}

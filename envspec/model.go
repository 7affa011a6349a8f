package envspec

import (
	"time"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/internal/egress"
	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/secret"
)

// Environment is what a spec's bodies came to when each was evaluated at its own
// vantage. Evaluated with stand-ins it can be planned, hashed and shown; evaluated with values it
// can be applied. Both have the same shape.
type Environment struct {
	Name        string
	Description string
	Containers  []*Container
	Machines    []*Machine
	Outputs     []*Output
	// Wires are the endpoints that bodies really received, sorted; From is the
	// zero address where the host reads one (in an output).
	Wires []Wire
}

// Wire is one use of an endpoint by a body.
type Wire struct {
	From addr.Addr
	To   addr.Endpoint
}

// Output is a value that `up` and `outputs` print.
type Output struct {
	Name        string
	Description string
	// Value is a string, or the JSON of what is not one. Sensitive where the block says so
	// or where a secret went into it.
	Value secret.Text
	// JSON reports that Value is JSON rather than a plain string.
	JSON bool
	// After are the resources whose endpoints Value holds.
	After []addr.Addr
}

// Port is a named port of a container or a Windows machine.
type Port struct {
	Name     string
	Guest    int    // the number that the process itself listens on
	Host     int    // pinned by the spec; 0 leaves it to port assignment
	Protocol string // "tcp" or "udp"
	Scheme   string // where set, the endpoint has a url
}

// Container is one Linux container. The sandbox and the gateway of a Windows machine are Containers too, made
// by envctl rather than by a spec, and so is a job (addr.Job), which is ready when it has ended with 0.
type Container struct {
	Addr    addr.Addr
	Aliases []string // further names on the environment's network, beside Addr.DNS()

	Image string // empty where Build is set
	// Pinned is what the lock holds Image to, "name:tag@sha256:…" or an image's id; "" takes Image as written.
	Pinned string
	Build  *Build

	Command    []string // nil leaves the image's own
	Entrypoint []string
	Env        map[string]secret.Text
	Ports      []Port
	Volumes    []Volume
	Files      []File
	Tmpfs      []string
	Ready      *Ready

	User       string
	WorkingDir string
	Platform   string
	Restart    string // "no", "on-failure", "unless-stopped", "always"; "" is "no"
	Memory     int64  // bytes; 0 is no limit
	CPUs       float64
	CapAdd     []string
	ExtraHosts map[string]string
	StopSignal string
	StopGrace  time.Duration // 0 is the engine's own, 10 s
	Init       bool
	Privileged bool

	ReadOnly    bool // of the root file system
	Hostname    string
	DNS         []string // addresses of name servers, in place of the engine's
	ShmSize     int64    // bytes of /dev/shm; 0 is the engine's own, 64 MB
	Ulimits     []Ulimit // sorted by name
	Sysctls     map[string]string
	Devices     []Device
	GPUs        int // how many; AllGPUs is all
	GroupAdd    []string
	CapDrop     []string
	SecurityOpt []string
	Logging     *Logging
	// Pull says when the registry is asked for Image: "missing" (as is ""), "always" or "never". It makes
	// the container no other.
	Pull string
	// Timeout is how long a job may run; 0 is without end. It makes it no other job.
	Timeout time.Duration
	// Watch is what `up --watch` keeps as it is on the host. It makes the container no other.
	Watch []Watch
	// NetworkMode "host" puts the container on the host's network in place of the environment's; only
	// envctl's own use it.
	NetworkMode string
	Labels      map[string]string
	// Egress is how its traffic leaves a corporate network, from the user's configuration; nil in any other.
	Egress *egress.Settings

	// After are the resources that must be ready before this one starts, sorted: from depends_on and
	// from the endpoints that the body received (not from_host, not unordered).
	After []addr.Addr
}

// AllGPUs is the Container.GPUs that stands for as many as there are.
const AllGPUs = -1

// Ulimit is a limit of the container's processes, by the name that ulimits have in Docker ("nofile").
// Unlimited is -1.
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// Device is a device of the engine's host that a container may use.
type Device struct {
	Host, Container string // absolute paths
	Permissions     string // some of "rwm"
}

// Logging says where the engine puts what a container prints. Driver "" is the engine's own.
type Logging struct {
	Driver  string
	Options map[string]string
}

// Build says how an image is made. Its identity is the hash of its inputs.
type Build struct {
	Context    string // folder, absolute; empty with Inline or Files alone
	Dockerfile string // path within Context; "" is Dockerfile
	Inline     string // a Dockerfile's text, in place of Dockerfile
	Target     string
	Args       map[string]secret.Text
	Secrets    map[string]secret.Text // by id; for as long as a step runs that mounts it
	CacheFrom  []string               // images whose layers may be used; no part of the identity
	// Files is a whole context held in memory, by slash path; envctl's own images come so.
	Files map[string]blob.Blob
	// From gives the base images of the Dockerfile the digests or image ids that are locked, by the
	// reference as written; one that is missing is taken as written. Part of the build's identity.
	From map[string]string
	// Egress is how the build's traffic leaves a corporate network. No part of its identity.
	Egress *egress.Settings
	// Tag names an image that all environments on the machine share (the gateway's, the sandbox's);
	// "" keeps it to this environment.
	Tag string
}

// Volume is a mount of a container.
type Volume struct {
	Name     string // the block's label
	Target   string // absolute path in the container
	Source   string // absolute path on the host for a bind mount; "" makes it a named volume
	ReadOnly bool
	// Shared is the volume block that it mounts; zero for a volume of the container's own.
	Shared addr.Addr
	// External is the name on the engine of a shared volume that is there already.
	External string
}

// File is a file that is copied into a container before it starts.
type File struct {
	Path    string
	Content secret.Text
	Mode    int64 // permission bits; 0 means 0644, or 0400 where Content is sensitive
	// UID and GID own the file; 0 is root.
	UID, GID int
	// Mutable leaves the content out of the container's identity: a change is copied into the running
	// container (an update) instead of replacing it.
	Mutable bool
}

// Ready says when a resource counts as ready. At most one of the checks is set.
type Ready struct {
	Exec []string
	HTTP *HTTPCheck
	TCP  *TCPCheck
	Log  *LogCheck

	Interval    time.Duration // between tries; 0 starts at milliseconds and backs off to 2 s
	Timeout     time.Duration // of one try; 0 means 5 s
	Retries     int           // tries that may fail; 0 leaves it to StartPeriod
	StartPeriod time.Duration // how long it may take in all; 0 means 5 min
}

// HTTPCheck passes on Status, or on 200 to 399 where Status is 0.
type HTTPCheck struct {
	Port   string // the port's name
	Path   string
	Status int
}

// TCPCheck passes when the port accepts a connection.
type TCPCheck struct{ Port string }

// LogCheck passes when a line of the log matches.
type LogCheck struct{ Pattern string }

// Machine is one Windows machine and its stack of layers.
type Machine struct {
	Addr addr.Addr
	// Sandbox says that envctl makes the machine (source "sandbox"); else Address names it (source "host").
	Sandbox bool
	Address string
	WinRM   WinRM
	Layers  []guestproto.Layer // in the order written; Hash is not set yet
	Ports   []Port
	Ready   *Ready
	After   []addr.Addr
}

// WinRM says how a machine is reached. For a sandbox it is filled in by envctl.
type WinRM struct {
	Credential  string // the credential block's name; "" for a sandbox
	User        string
	Password    secret.Text
	Port        int  // 0: 5986 with HTTPS, 5985 without
	HTTPS       bool // true unless the spec says false
	Auth        string
	Insecure    bool
	Fingerprint string
	CAFile      string
	// ServerName is the name that its certificate has to have, where it is reached by another; else "".
	ServerName string
	// ExtraCA, PEM, has the certificates that the user's configuration trusts beside the system's; they count where
	// there is neither CAFile nor Fingerprint.
	ExtraCA string
}

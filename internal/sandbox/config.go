package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// What the host's side needs to know of a sandbox's container.
const (
	// HTTPPort and HTTPSPort are where the server listens in the container.
	HTTPPort  = 5985
	HTTPSPort = 5986
	// ConfigPath is where the container expects its Config: copied in before start, mode 0400.
	ConfigPath = "/etc/envctl/sandbox.json"
	// PwshPath is where a folder with PowerShell for Windows may be mounted.
	PwshPath = "/opt/envctl/pwsh"
	// DefaultUser is the name to give a sandbox's account: it is the prefix's own user too.
	DefaultUser = account
)

// account is the Windows account under which everything runs in the prefix.
const account = "Administrator"

// CheckCommand is the health check, run in the container: it ends with 0 once the server answers.
func CheckCommand() []string { return []string{"/envctl-node", "sandbox", "check"} }

// Config is the content of the file at ConfigPath. It holds secrets.
type Config struct {
	User     string `json:"user"`
	Password string `json:"password"`
	// Certificate and Key are PEM, for HTTPS.
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	// HTTPPort and HTTPSPort are where to listen; 0 is the usual port.
	HTTPPort  int `json:"http_port,omitempty"`
	HTTPSPort int `json:"https_port,omitempty"`
	// AllowUnencrypted accepts Basic, and SOAP that is not sealed, over plain HTTP.
	AllowUnencrypted bool `json:"allow_unencrypted,omitempty"`
	// LatencyMillis is added to every request.
	LatencyMillis int `json:"latency_ms,omitempty"`
	// Bandwidth in bytes a second bounds each request's body and each answer; 0 does not.
	Bandwidth int64 `json:"bandwidth,omitempty"`
}

// JSON gives the file's content.
func (c Config) JSON() ([]byte, error) { return json.Marshal(c) }

// loadConfig reads and checks the file.
func loadConfig(name string) (Config, error) {
	c := Config{}
	raw, err := os.ReadFile(name)
	if err != nil {
		return c, fmt.Errorf("reading the sandbox's configuration: %w; it is copied in before the container starts", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, errors.New("the sandbox's configuration is not the JSON it should be") // its content is secret
	}
	if c.User == "" || c.Password == "" {
		return c, errors.New("the sandbox's configuration lacks user or password")
	}
	if c.HTTPPort == 0 {
		c.HTTPPort = HTTPPort
	}
	if c.HTTPSPort == 0 {
		c.HTTPSPort = HTTPSPort
	}
	return c, nil
}

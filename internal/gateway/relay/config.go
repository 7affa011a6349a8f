package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/secret"
)

// Where things are in the container.
const (
	ConfigPath  = "/etc/envctl/gateway.json"
	WiresPath   = "/etc/envctl/wires.json"
	HelperPath  = "/helper"         // the guest helper, gzipped or not
	ControlPath = "@envctl-gateway" // an abstract socket: it needs no folder and leaves nothing behind
)

// Machine is gateway.json: how the Windows machine is reached. It holds the password, so it is
// read from a file that only root can read, and is never logged.
type Machine struct {
	Addr    addr.Addr `json:"machine"` // for logs: windows.pas
	Address string    `json:"address"` // host name or IP address
	Port    int       `json:"port"`
	HTTPS   bool      `json:"https"`
	// Auth is "basic", "ntlm" or "" for the best that the machine offers.
	Auth     string      `json:"auth,omitempty"`
	Insecure bool        `json:"insecure,omitempty"`
	User     string      `json:"user"`
	Password secret.Text `json:"password"`
	// Fingerprint pins the machine's certificate ("sha256:…"); CA is PEM, for certificates that are signed.
	Fingerprint string `json:"fingerprint,omitempty"`
	CA          string `json:"ca,omitempty"`
	// ServerName is the name that it has to have; empty means Address.
	ServerName string `json:"server_name,omitempty"`
}

// Wires is wires.json: what the gateway carries. The zero value carries nothing.
type Wires struct {
	Forwards []Forward `json:"forwards"`
	Reverse  []Reverse `json:"reverse"`
}

// Forward is a port of the machine that the gateway offers to containers and to the host.
type Forward struct {
	Port   string `json:"port"`   // the port's name in the spec
	Listen int    `json:"listen"` // in the container, on every address
	Guest  int    `json:"guest"`  // on 127.0.0.1 in the machine
}

// Reverse is a port of a container that the machine reaches on its own 127.0.0.1.
type Reverse struct {
	To          addr.Endpoint `json:"to"`
	GuestListen int           `json:"guest_listen"` // on 127.0.0.1 in the machine
	Dial        string        `json:"dial"`         // host:port as the gateway's network knows it
}

// loadMachine reads gateway.json.
func loadMachine(path string) (Machine, error) {
	var m Machine
	data, err := os.ReadFile(path)
	if err != nil {
		return m, fmt.Errorf("the machine's endpoint: %w", err)
	}
	// A decoder's error may quote what it read, and this file holds a password.
	if err := decode(data, &m); err != nil {
		return m, fmt.Errorf("the machine's endpoint: %s is not as this gateway expects it: bring the environment up again", path)
	}
	return m, nil
}

// ParseWires reads what wires.json holds and checks it: ports in range and none listened on twice.
func ParseWires(data []byte) (Wires, error) {
	var w Wires
	if err := decode(data, &w); err != nil {
		return Wires{}, fmt.Errorf("wires: %w", err)
	}
	listen, guest := map[int]bool{}, map[int]bool{}
	for _, f := range w.Forwards {
		switch {
		case !isPort(f.Listen) || !isPort(f.Guest):
			return Wires{}, fmt.Errorf("wires: port %q: %d to %d is no pair of ports", f.Port, f.Listen, f.Guest)
		case listen[f.Listen]:
			return Wires{}, fmt.Errorf("wires: port %q: %d is listened on already", f.Port, f.Listen)
		}
		listen[f.Listen] = true
	}
	for _, r := range w.Reverse {
		_, port, err := net.SplitHostPort(r.Dial)
		n, numErr := strconv.Atoi(port)
		switch {
		case err != nil || numErr != nil || !isPort(n):
			return Wires{}, fmt.Errorf("wires: %s: %q is not host:port", r.To, r.Dial)
		case !isPort(r.GuestListen):
			return Wires{}, fmt.Errorf("wires: %s: %d is no port", r.To, r.GuestListen)
		case guest[r.GuestListen]:
			return Wires{}, fmt.Errorf("wires: %s: %d is listened on already in the machine", r.To, r.GuestListen)
		}
		guest[r.GuestListen] = true
	}
	return w, nil
}

func isPort(n int) bool { return n > 0 && n < 1<<16 }

func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more than one value")
	}
	return nil
}

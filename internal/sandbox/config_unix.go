//go:build unix

package sandbox

import (
	"crypto/tls"
	"fmt"
	"time"
)

// tls gives the server's side of HTTPS.
func (c Config) tls() (*tls.Config, error) {
	pair, err := tls.X509KeyPair([]byte(c.Certificate), []byte(c.Key))
	if err != nil {
		return nil, fmt.Errorf("the sandbox's certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

func (c Config) latency() time.Duration { return time.Duration(c.LatencyMillis) * time.Millisecond }

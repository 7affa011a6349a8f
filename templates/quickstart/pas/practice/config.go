// Package practice is the practice system itself: patients in a PostgreSQL database, answered as
// JSON over HTTP and taken as HL7 messages over TCP. Where its settings come from and what runs it
// (the Windows service manager, a console) is its caller's.
package practice

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Config is where the database is and how the practice calls itself.
type Config struct {
	DbHost   string
	DbPort   string
	DbName   string
	DbUser   string
	Password string
	Clinic   string
}

// Source gives the settings as they are now; it is asked once a request, so that a change needs no restart.
type Source func() (Config, error)

// dsn has no TLS: between Windows and the database there is only a wire, which is an SSH channel.
func (c Config) dsn() (string, error) {
	var missing []string
	for name, v := range map[string]string{"DbHost": c.DbHost, "DbPort": c.DbPort, "DbName": c.DbName, "DbUser": c.DbUser} {
		if v == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("no database is set up: %s not set", strings.Join(missing, ", "))
	}
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(c.DbUser, c.Password),
		Host:     net.JoinHostPort(c.DbHost, c.DbPort),
		Path:     "/" + c.DbName,
		RawQuery: "sslmode=disable&connect_timeout=4&application_name=pas",
	}
	return u.String(), nil
}

package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// featureKind turns an optional feature of Windows on, with DISM's own tool: what it takes and prints is
// documented, in English where it is asked to.
type featureKind struct {
	// dism runs the tool with these arguments and gives its exit code and what it printed.
	dism func(ctx context.Context, args ...string) (uint32, string, error)
}

// featureSaved is what undo needs: whether the feature was on, or about to be, before.
type featureSaved struct {
	Had bool `json:"had"`
}

// What DISM ends with besides 0.
const (
	dismReboot  = 3010
	dismUnknown = 0x800F080C // CBS_E_UNKNOWN_UPDATE
	dismNoFiles = 0x800F081F // CBS_E_SOURCE_MISSING
	dismNoFetch = 0x800F0906 // CBS_E_DOWNLOAD_FAILURE
)

var errNoFeatures = errors.New("the sandbox is Wine, which has no Windows features to turn on: this layer needs a real machine")

// state gives the word that DISM has for how a feature is: "Enabled", "Disabled", "Enable Pending", …
func (k featureKind) state(ctx context.Context, name string) (string, error) {
	code, out, err := k.dism(ctx, "/online", "/english", "/get-featureinfo", "/featurename:"+name)
	if err != nil {
		return "", err
	}
	if code == dismUnknown {
		return "", fmt.Errorf("this Windows has no feature %q: \"dism /online /get-features\" lists what it has", name)
	}
	if code != 0 {
		return "", dismError(code, out)
	}
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		if label, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(label) == "State" {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("dism did not say how feature %q is", name)
}

func isOn(state string) bool { return state == "Enabled" || state == "Enable Pending" }

// change turns a feature on or off and notes the restart that Windows may want.
func (k featureKind) change(ctx context.Context, s *step, args ...string) error {
	code, out, err := k.dism(ctx, append([]string{"/online", "/english", "/norestart", "/quiet", "/featurename:" + s.layer.Name}, args...)...)
	switch {
	case err != nil:
		return err
	case code == dismReboot:
		s.log("Windows wants to restart before the feature is as asked: a reboot layer above does it")
		return s.rebootPending()
	case code == dismNoFiles, code == dismNoFetch:
		return fmt.Errorf("%w: Windows does not have the feature's files; name a folder that does with payload", dismError(code, out))
	case code != 0:
		return dismError(code, out)
	}
	return nil
}

// dismError has the last lines that DISM printed, which say what is wrong.
func dismError(code uint32, out string) error {
	recent := &recentLines{log: func(string, ...any) {}}
	w := &lineWriter{to: recent}
	_, _ = w.Write([]byte(out)) // it keeps them, and cannot fail
	w.flush()
	return fmt.Errorf("dism: exit code %#x: %s", code, strings.Join(recent.lines, " | "))
}

func (k featureKind) apply(ctx context.Context, s *step) error {
	ctx, cancel := context.WithTimeout(ctx, s.featureLimit())
	defer cancel()
	state, err := k.state(ctx, s.layer.Name)
	if err != nil {
		return err
	}
	if err := s.save(featureSaved{Had: isOn(state)}); err != nil || state == "Enabled" {
		return err
	}
	if state == "Enable Pending" {
		return s.rebootPending()
	}
	args := []string{"/enable-feature", "/all"}
	if p := s.layer.Feature.Payload; p != "" {
		args = append(args, "/limitaccess", "/source:"+p)
	}
	if err := k.change(ctx, s, args...); err != nil {
		return err
	}
	if state, err = k.state(ctx, s.layer.Name); err == nil && !isOn(state) {
		err = fmt.Errorf("dism ended well, and the feature is %q", state)
	}
	return err
}

func (k featureKind) undo(ctx context.Context, s *step) error {
	var saved featureSaved
	if ok, err := s.saved(&saved); !ok || saved.Had {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.featureLimit())
	defer cancel()
	state, err := k.state(ctx, s.layer.Name)
	if err != nil || !isOn(state) {
		return err
	}
	return k.change(ctx, s, "/disable-feature")
}

func (k featureKind) observe(ctx context.Context, s *step) (drift, error) {
	state, err := k.state(ctx, s.layer.Name)
	if err != nil || isOn(state) {
		return drift{}, err
	}
	d := drifted("it is %s", strings.ToLower(state))
	d.part("state", "enabled", strings.ToLower(state))
	return d, nil
}

func (s *step) featureLimit() time.Duration {
	if t := s.layer.Feature.Timeout; t > 0 {
		return time.Duration(t) * time.Second
	}
	return 30 * time.Minute
}

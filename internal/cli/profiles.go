package cli

import (
	"strings"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/internal/plan"
	"github.com/envctl/envctl/providers"
)

// askedProfiles are those of --profile, or else of ENVCTL_PROFILES.
func (a *app) askedProfiles() []string {
	if len(a.profiles) > 0 {
		return a.profiles
	}
	text, _ := a.Getenv("ENVCTL_PROFILES")
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// explainIdle says of what goes because its profile was not asked for that this is why.
func explainIdle(p *plan.Plan, spec *envspec.Spec) {
	idle := map[addr.Addr]string{}
	for _, r := range spec.Idle() {
		cause := "up only with " + envspec.ProfileFlags(r.Profiles)
		idle[r.Addr] = cause
		if r.Machine != nil {
			for _, k := range []addr.Kind{addr.Sandbox, addr.Relay, addr.Gateway} {
				idle[r.Addr.Sibling(k)] = cause
			}
		}
	}
	for i, op := range p.Operations {
		if cause := idle[op.Addr]; op.Action == providers.Delete && cause != "" {
			p.Operations[i].Cause = cause
		}
	}
}

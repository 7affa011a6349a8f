package envspec

import "github.com/hashicorp/hcl/v2"

// notElsewhere refuses a folder of this computer where the engine is on another one.
func (r *reader) notElsewhere(engine, folder string) {
	if engine == "" {
		return
	}
	r.report(fault(CodeNotAvailable, r.at, "A folder that the engine does not see",
		"The Docker engine is on another computer (%s), so it cannot mount %s from this one. "+
			"Copy single files in with file blocks and folders with build (COPY); keep data in a named volume, which has no folder as its source; "+
			"or use an engine on this computer (docker context use).", engine, folder))
}

// udpElsewhere warns of the ports that are not to be reached from this computer where the engine is on another one.
func (in *instance) udpElsewhere(engine string) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, p := range in.ports {
		if at, udp := in.udpAt[p.Name]; udp && engine != "" {
			diags = append(diags, caution(CodeNotAvailable, at, "A UDP port that this computer does not reach",
				"The Docker engine is on another computer (%s), and what carries its ports here carries TCP alone. "+
					"The environment's other resources reach port %q of %s. Give it a TCP port too for this computer, or use an engine here (docker context use).", engine, p.Name, in.addr))
		}
	}
	return diags
}

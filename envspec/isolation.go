package envspec

import (
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// isolation reads what a container may do and have of the engine's host.
func (r *reader) isolation(c *Container) {
	c.Privileged, c.ReadOnly = r.boolean("privileged"), r.boolean("read_only")
	c.CapDrop, c.SecurityOpt, c.GroupAdd = r.strings("cap_drop"), r.strings("security_opt"), r.strings("group_add")
	c.Sysctls, c.ShmSize = r.plainMap("sysctls"), r.size("shm_size")
	c.Ulimits, c.Devices, c.GPUs = r.ulimits(), r.devices(), r.gpus()
	if c.Hostname = r.str("hostname"); c.Hostname != "" && (len(c.Hostname) > 63 || !hostname.MatchString(c.Hostname)) {
		r.report(fault(CodeValue, r.rangeOf("hostname"), "Not the name of a computer", "%s cannot be one. Use up to 63 letters, digits, \".\" and \"-\".", quote(c.Hostname)))
	}
	c.DNS = r.strings("dns")
	for _, server := range c.DNS {
		if _, err := netip.ParseAddr(server); err != nil {
			r.report(fault(CodeValue, r.rangeOf("dns"), "Not an address", "%s is not the IP address of a name server. Write one such as \"1.1.1.1\".", quote(server)))
		}
	}
}

var hostname = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

func (r *reader) ulimits() []Ulimit {
	var out []Ulimit
	written := r.plainMap("ulimits")
	for _, name := range names(written) {
		softText, hardText, both := strings.Cut(written[name], ":")
		if !both {
			hardText = softText
		}
		soft, err := strconv.ParseInt(softText, 10, 64)
		hard, hardErr := strconv.ParseInt(hardText, 10, 64)
		if err != nil || hardErr != nil || soft < -1 || hard < -1 {
			r.report(fault(CodeValue, r.itemRange("ulimits", name), "Not a limit", "%s is not a limit. Write one number, or \"SOFT:HARD\"; -1 is no limit.", quote(written[name])))
			continue
		}
		if hard >= 0 && (soft > hard || soft < 0) {
			r.report(fault(CodeValue, r.itemRange("ulimits", name), "Not a limit", "The soft limit %s is above the hard one, %s. Raise the one or lower the other.", softText, hardText))
			continue
		}
		out = append(out, Ulimit{Name: name, Soft: soft, Hard: hard})
	}
	return out
}

var permissions = lazyregexp.New(`^[rwm]{1,3}$`)

func (r *reader) devices() []Device {
	var out []Device
	for _, text := range r.strings("devices") {
		part := strings.Split(text, ":")
		d := Device{Host: part[0], Container: part[0], Permissions: "rwm"}
		if len(part) > 1 {
			d.Container = part[1]
		}
		if len(part) > 2 {
			d.Permissions = part[2]
		}
		if len(part) > 3 || !strings.HasPrefix(d.Host, "/") || !strings.HasPrefix(d.Container, "/") || !permissions.MatchString(d.Permissions) {
			r.report(fault(CodeValue, r.rangeOf("devices"), "Not a device", "%s is not a device. Write one such as \"/dev/fuse\" or \"/dev/ttyUSB0:/dev/modem:rw\".", quote(text)))
			continue
		}
		out = append(out, d)
	}
	return out
}

func (r *reader) gpus() int {
	text := r.str("gpus")
	switch text {
	case "":
		return 0
	case "all":
		return AllGPUs
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		r.report(fault(CodeValue, r.rangeOf("gpus"), "Not a number of GPUs", "%s is not one. Write \"all\", or how many.", quote(text)))
	}
	return n
}

// hiddenFiles refuses files that cannot be where they are to be.
func (r *reader) hiddenFiles(c *Container) {
	for _, f := range c.Files {
		dir := path.Dir(path.Clean(f.Path))
		for _, t := range c.Tmpfs {
			if target, _, _ := strings.Cut(t, ":"); path.Clean(target) == dir {
				r.report(fault(CodeConflict, r.rangeOf("tmpfs"), "A file would be hidden", "%s is empty when the container starts, so the file %s would not be there. Put the file into a folder below, or leave the tmpfs out.", dir, f.Path))
			}
		}
		if c.ReadOnly && dir == "/" {
			r.report(fault(CodeConflict, r.rangeOf("read_only"), "Nothing can be put there", "The file %s would be right at the root, which is read-only. Put it into a folder.", f.Path))
		}
	}
}

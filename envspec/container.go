package envspec

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/envctl/envctl/internal/secret"
)

// container decodes a container block, or a job, at its own vantage.
func (in *instance) container(r *reader) *Container {
	c := &Container{
		Addr:       in.addr,
		Image:      r.str("image"),
		Command:    r.strings("command"),
		Entrypoint: r.strings("entrypoint"),
		Env:        r.textMap("env"),
		Ports:      slices.Clone(in.ports),
		Tmpfs:      r.strings("tmpfs"),
		User:       r.str("user"),
		WorkingDir: r.str("working_dir"),
		Platform:   r.str("platform"),
		Restart:    r.str("restart"),
		Memory:     r.size("memory"),
		CPUs:       r.number("cpus"),
		CapAdd:     r.strings("cap_add"),
		ExtraHosts: r.plainMap("extra_hosts"),
		StopSignal: r.str("stop_signal"),
		StopGrace:  r.duration("stop_grace"),
		Init:       r.boolean("init"),
		Labels:     r.plainMap("labels"),
		Pull:       r.str("pull"),
		Timeout:    r.duration("timeout"),
	}
	r.isolation(c)
	if c.Image == "" && r.has("image") && r.one("build") == nil {
		if v, diags := r.evaluate(r.body.Attributes["image"].Expr); !diags.HasErrors() && (v.IsNull() || v.RawEquals(cty.StringVal(""))) {
			r.report(fault(CodeValue, r.rangeOf("image"), "No image", "\"image\" is empty. Name an image such as \"postgres:17\", or give a build block."))
		}
	}
	if err := r.in.view.eval.imageError(c.Image); err != nil {
		r.report(notImage(r.rangeOf("image"), c.Image, err))
	}
	for _, name := range names(c.Env) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			r.report(fault(CodeValue, r.keyRange("env", name), "Not the name of a variable", "%s cannot be the name of an environment variable: it cannot be empty, nor have \"=\" in it.", quote(name)))
		}
	}
	for _, k := range names(c.Labels) {
		if strings.HasPrefix(k, "dev.envctl.") {
			r.report(fault(CodeValue, r.itemRange("labels", k), "A label of envctl's own", "Labels that start with dev.envctl. are how envctl knows its containers. Choose another name."))
		}
	}
	for _, b := range r.blocks() {
		switch b.kind.Name {
		case "build":
			c.Build = b.build(in.decl.scope)
		case "volume":
			c.Volumes = append(c.Volumes, b.mount(in.decl.scope))
		case "file":
			c.Files = append(c.Files, b.containerFile(in.decl.scope))
		case "ready":
			c.Ready = b.ready(in.ports, false)
		case "logging":
			c.Logging = &Logging{Driver: b.str("driver"), Options: b.plainMap("options")}
		}
	}
	for _, b := range r.blocks("secret") { // once all files and variables are known
		b.secretFile(c)
	}
	for _, b := range r.blocks("watch") {
		c.Watch = append(c.Watch, b.watch(in.decl.scope.dir, c))
	}
	r.hiddenFiles(c)
	return c
}

func (r *reader) containerFile(sc *scope) File {
	f := File{Path: r.label(), Content: r.textOr("content"), UID: r.integer("uid", 0, math.MaxInt32), GID: r.integer("gid", 0, math.MaxInt32)}
	if !strings.HasPrefix(f.Path, "/") {
		r.report(fault(CodeValue, r.labels[0].at, "Not an absolute path", "The label is a path in the container that starts with \"/\"."))
	}
	if source := r.str("source"); source != "" {
		b, err := sc.spec.readText(resolvePath(sc.dir, source))
		if err != nil {
			r.report(fault(CodeFile, r.rangeOf("source"), "Cannot read the file", "%s.", upperFirst(err.Error())))
		}
		f.Content = secret.Plain(string(b))
	}
	r.fileMeant("content", f.Content, "source = ")
	f.Mode = r.mode()
	return f
}

// mode reads permissions; 0 where they are left out or wrong.
func (r *reader) mode() int64 {
	mode := r.str("mode")
	if mode == "" {
		return 0
	}
	n, err := strconv.ParseInt(mode, 8, 32)
	if err != nil || n < 0 || n > 0o7777 {
		r.report(fault(CodeValue, r.rangeOf("mode"), "Not a mode", "%s is not a mode. Write permissions in octal, such as \"0644\".", quote(mode)))
		return 0
	}
	return n
}

// ready reads a readiness check. One that can never pass is refused.
func (r *reader) ready(ports []Port, machine bool) *Ready {
	y := &Ready{
		Exec:        r.strings("exec"),
		Interval:    r.duration("interval"),
		Timeout:     r.duration("timeout"),
		Retries:     r.integer("retries", 0, math.MaxInt32),
		StartPeriod: r.duration("start_period"),
	}
	if r.has("exec") && y.Exec != nil && len(y.Exec) == 0 {
		r.report(fault(CodeValue, r.rangeOf("exec"), "An empty command", "Name a program and its arguments: exec = [\"pg_isready\"]."))
	}
	if len(y.Exec) > 0 && (y.Exec[0] == "CMD" || y.Exec[0] == "CMD-SHELL") {
		instead := y.Exec[1:]
		if y.Exec[0] == "CMD-SHELL" {
			instead = append([]string{"sh", "-c"}, instead...)
		}
		r.report(fault(CodeValue, r.rangeOf("exec"), "This check can never pass", "%q is a word of Compose and no program. Write exec = [%s].", y.Exec[0], strings.Join(quoted(instead), ", ")))
	}
	for _, b := range r.blocks() {
		switch b.kind.Name {
		case "http":
			y.HTTP = &HTTPCheck{Port: b.ownPort(ports), Path: b.str("path"), Status: b.integer("status", 100, 599)}
			if y.HTTP.Path == "" {
				y.HTTP.Path = "/"
			} else if !strings.HasPrefix(y.HTTP.Path, "/") {
				r.report(fault(CodeValue, b.rangeOf("path"), "Not a path", "The path of a check starts with \"/\"."))
			}
		case "tcp":
			y.TCP = &TCPCheck{Port: b.ownPort(ports)}
		case "log":
			y.Log = &LogCheck{Pattern: b.str("pattern")}
			if machine {
				r.report(fault(CodeNotAvailable, b.at, "Not on Windows", "A Windows machine has no one log to look into. Use http, tcp or exec."))
			}
			if _, err := regexp.Compile(y.Log.Pattern); err != nil {
				r.report(fault(CodeValue, b.rangeOf("pattern"), "Not a regular expression", "%s. The syntax is Go's: https://pkg.go.dev/regexp/syntax.", upperFirst(strings.TrimPrefix(err.Error(), "error parsing regexp: "))))
			}
		}
	}
	if y.Exec == nil && y.HTTP == nil && y.TCP == nil && y.Log == nil && !r.has("exec") && !r.misspelt() {
		r.report(fault(CodeMissing, r.at, "A check is missing", "ready needs one of exec, http { }, tcp { } or log { }, else there is nothing to wait for."))
	}
	return y
}

// ownPort reads the name of one of the resource's own ports.
func (r *reader) ownPort(ports []Port) string {
	name := r.str("port")
	if name == "" {
		return ""
	}
	var known []string
	for _, p := range ports {
		known = append(known, p.Name)
		if p.Name == name && p.Protocol == "udp" {
			r.report(fault(CodeValue, r.rangeOf("port"), "This check can never pass", "The port %q is udp, and the check needs tcp.", name))
		}
	}
	if slices.Contains(known, name) {
		return name
	}
	at := r.rangeOf("port")
	for _, p := range ports {
		if strconv.Itoa(p.Guest) == name {
			r.report(unknownOwnPort(at, "The check names a port by its name, not its number. Did you mean %q?", p.Name))
			return ""
		}
	}
	if len(known) == 0 {
		r.report(unknownOwnPort(at, "The check can never pass: no port is declared here. Add port %q { guest = … }.", name))
		return ""
	}
	r.report(unknownOwnPort(at, "The check can never pass: there is no port %q here.%s", name, choices(name, known)))
	return ""
}

func unknownOwnPort(at hcl.Range, detail string, args ...any) *hcl.Diagnostic {
	return fault(CodeUnknownReference, at, "Unknown port", detail, args...)
}

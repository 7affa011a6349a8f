package envspec

import (
	"os"
	"strings"
	"time"

	"github.com/envctl/envctl/internal/guestproto"
)

// certificate decodes a certificate layer, and looks into what it can: not into a PFX, whose password may be secret.
func (r *reader) certificate(dir string) *guestproto.Certificate {
	c := &guestproto.Certificate{Store: r.str("store"), Content: r.text("content"), Password: r.text("password")}
	var text []byte
	from := "content"
	switch {
	case r.has("source"):
		src := r.source(dir)
		c.Source, from = &src, "source"
		if src.Path == "" || guestproto.IsPFX(src.Name) {
			return c
		}
		var err error
		if text, err = os.ReadFile(src.Path); err != nil {
			r.report(fault(CodeFile, r.rangeOf("source"), "Cannot read the file", "%s.", upperFirst(plainError(err).Error())))
			return c
		}
	case c.Content != nil && !c.Content.Sensitive:
		text = []byte(c.Content.Reveal())
		if r.has("sha256") {
			r.report(fault(CodeConflict, r.body.Attributes["sha256"].NameRange, "sha256 is for a source", "What is in content is in the spec, and needs no sha256."))
		}
	}
	if c.Password != nil {
		r.report(fault(CodeConflict, r.body.Attributes["password"].NameRange, "The password is for a PFX", "A certificate alone is open to everyone. Leave password out, or give a .pfx or .p12 file as source."))
	}
	if text != nil {
		if _, err := guestproto.Certificates(text); err != nil {
			hint := ""
			if from == "content" && nameOfFile(string(text)) {
				hint = " A file is named with source = " + quote(string(text)) + "."
			}
			r.report(fault(CodeValue, r.rangeOf(from), "Not a certificate", "%s.%s", upperFirst(err.Error()), hint))
		}
	}
	return c
}

// task decodes a task layer.
func (r *reader) task(name string) *guestproto.Task {
	t := &guestproto.Task{
		Command: r.str("command"), Args: r.strings("args"), WorkingDir: r.str("working_dir"),
		On: r.str("on"), Daily: r.str("daily"), RunNow: r.boolean("run_now"),
	}
	if strings.ContainsAny(name, `\/:*?"<>|`) {
		r.report(fault(CodeValue, r.at, "Not a task's name", "The name is a task in Task Scheduler's root folder, and cannot have any of \\ / : * ? \" < > |. Use another name."))
	}
	if t.Daily != "" {
		if _, err := time.Parse("15:04", t.Daily); err != nil {
			r.report(fault(CodeValue, r.rangeOf("daily"), "Not a time of day", "\"daily\" takes hours and minutes on the machine's clock, such as \"02:30\", and this is %s.", quote(t.Daily)))
		}
	}
	if r.has("every") {
		every := r.seconds("every")
		if every%60 != 0 || every < 60 || every > 31*24*60*60 {
			r.report(fault(CodeValue, r.rangeOf("every"), "Not a whole number of minutes", "Task Scheduler repeats a task after 1 minute at the least and 31 days at the most, in whole minutes, such as \"1m\" or \"15m\"."))
		}
		t.Every = every / 60
	}
	if c := r.credential("credential"); c != nil {
		t.Account, t.Password = c.username, &c.password
	}
	return t
}

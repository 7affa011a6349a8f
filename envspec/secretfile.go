package envspec

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/envctl/envctl/internal/secret"
)

// secretFolder is where the files of secret blocks are.
const secretFolder = "/run/secrets/"

func secretBlock() *block {
	return &block{
		Name: "secret", Labels: []string{"name"},
		Doc: "A secret as the file `/run/secrets/NAME`, copied in before the container starts, and so not in what `docker inspect` shows.",
		Attrs: []attribute{
			{Name: "value", Type: textValue, Required: true, Doc: "What is in it."},
			{Name: "env", Type: stringValue, Doc: "Environment variable that gets the file's path, such as `\"POSTGRES_PASSWORD_FILE\"`.", Instead: layerHint},
			{Name: "mode", Type: stringValue, Doc: "Permissions in octal; `\"0400\"` where left out.", Instead: layerHint},
			{Name: "uid", Type: intValue, Doc: "Owner; the container's `user` where that is a number, else 0."},
			{Name: "gid", Type: intValue, Doc: "Group; that of `user` where it is a number, else 0."},
		},
	}
}

// secretFile reads a secret block: the file that it becomes, and the variable that names it.
func (r *reader) secretFile(c *Container) {
	name := r.label()
	if !volumeName.MatchString(name) {
		r.report(fault(CodeName, r.labels[0].at, "Not a name", "%q cannot be a file's name in /run/secrets. Use letters, digits, \"_\", \".\" and \"-\".", name))
		return
	}
	f := File{Path: secretFolder + name, Content: secret.Text{Value: r.textOr("value").Value, Sensitive: true}, Mode: r.mode()}
	if slices.ContainsFunc(c.Files, func(other File) bool { return other.Path == f.Path }) {
		r.report(fault(CodeDuplicate, r.at, "Two files in one place", "A file block puts %s there already. Give one of them another name, or take one out.", f.Path))
		return
	}
	user, group, _ := strings.Cut(c.User, ":")
	uid, notNumber := strconv.Atoi(user)
	if f.Mode == 0 {
		f.Mode = 0o400
		if notNumber != nil && user != "" && user != "root" && !r.has("uid") {
			r.report(fault(CodeMissing, r.at, "Nobody could read it", "The process runs as %q, and what number that is only the image knows, so the file would be root's alone. Give its number with uid, or let all read it with mode = \"0444\".", user))
		}
	}
	f.UID = uid
	f.GID, _ = strconv.Atoi(group)
	if r.has("uid") {
		f.UID = r.integer("uid", 0, math.MaxInt32)
	}
	if r.has("gid") {
		f.GID = r.integer("gid", 0, math.MaxInt32)
	}
	c.Files = append(c.Files, f)

	env := r.str("env")
	if env == "" {
		return
	}
	if _, taken := c.Env[env]; taken {
		r.report(fault(CodeConflict, r.rangeOf("env"), "These exclude each other", "The container has the variable %s already. Take it out of its env, or leave it out here.", env))
		return
	}
	if strings.ContainsAny(env, "=\x00") {
		r.report(fault(CodeValue, r.rangeOf("env"), "Not the name of a variable", "%s cannot be the name of an environment variable: it cannot have \"=\" in it.", quote(env)))
		return
	}
	if c.Env == nil {
		c.Env = map[string]secret.Text{}
	}
	c.Env[env] = secret.Plain(f.Path)
}

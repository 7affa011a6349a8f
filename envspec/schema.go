package envspec

// valueType says what an attribute takes.
type valueType int

const (
	anyValue       valueType = iota
	stringValue              // plain text
	textValue                // text that may be secret
	intValue                 // a whole number
	numberValue              // any number
	boolValue                // true or false
	stringsValue             // a list of plain text
	textsValue               // a map of text that may be secret
	mapValue                 // a map of plain text
	durationValue            // "5s", "1m30s"
	sizeValue                // "512MB", or a number of bytes
	credentialRef            // credential.NAME
	resourceRefs             // [container.db, windows.pas]
	mountSource              // a path of the host, or volume.NAME
	typeConstraint           // string, list(number), object({ … })
	registryValues           // a map of registry values
)

// describe says in words what an attribute takes.
func (t valueType) describe() string {
	switch t {
	case stringValue, textValue:
		return "a string"
	case intValue:
		return "a whole number"
	case numberValue:
		return "a number"
	case boolValue:
		return "true or false"
	case stringsValue:
		return "a list of strings"
	case textsValue, mapValue:
		return "a map of strings"
	case durationValue:
		return "a duration such as \"5s\" or \"2m\""
	case sizeValue:
		return "a size such as \"512MB\" or \"2GB\""
	case credentialRef:
		return "a credential, written credential.NAME"
	case resourceRefs:
		return "a list of resources such as [container.db]"
	case mountSource:
		return "a path of the host, or a volume written volume.NAME"
	case typeConstraint:
		return "a type such as string or list(number)"
	case registryValues:
		return "a map of registry values"
	}
	return "any value"
}

// attribute is one argument that a block takes.
type attribute struct {
	Name     string
	Type     valueType
	Required bool
	// Static arguments shape what exists: they take variables, functions and locals without
	// addresses, and so have no vantage.
	Static bool
	// Literal arguments are read without evaluating anything: a type, a description.
	Literal bool
	Enum    []string
	Doc     string
	// Instead says where a secret belongs, for an argument that refuses one.
	Instead string
}

// block is one kind of block: what its labels mean and what may stand in it. This table is the
// language: decoding, suggestions, docs/language.md and the JSON schema all come from it.
type block struct {
	Name   string
	Labels []string // what each label is
	// OptionalLabel lets the label be left out.
	OptionalLabel bool
	// LabelEnum limits what the label may be.
	LabelEnum []string
	Doc       string
	Attrs     []attribute
	Blocks    []*block
	// Free blocks take arguments of any name, each an expression (locals, inputs).
	Free bool
	// Max is how often the block may stand in its parent; 0 is any number.
	Max      int
	Required bool
	// ExactlyOne has sets of names (arguments or blocks) of which one must be given.
	ExactlyOne [][]string
	// AtMostOne has sets of names of which no two may be given.
	AtMostOne [][]string
	// Static makes every argument in the block and below it static.
	Static bool
	// Foreign has what other tools call what may stand in the block.
	Foreign map[string]string
	// Absent says what to do about what other tools have and this block does not.
	Absent map[string]string
}

func (b *block) attr(name string) *attribute {
	for i := range b.Attrs {
		if b.Attrs[i].Name == name {
			return &b.Attrs[i]
		}
	}
	return nil
}

func (b *block) block(name string) *block {
	for _, c := range b.Blocks {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// foreign gives this language's name for another tool's, or "".
func (b *block) foreign(name string) string { return b.Foreign[name] }

func (b *block) attrNames() []string {
	names := make([]string, len(b.Attrs))
	for i, a := range b.Attrs {
		names[i] = a.Name
	}
	return names
}

func (b *block) blockNames() []string {
	names := make([]string, len(b.Blocks))
	for i, c := range b.Blocks {
		names[i] = c.Name
	}
	return names
}

// language is the root of the table: what may stand at the top of a file.
func language() *block {
	return &block{
		Name: "file",
		Foreign: map[string]string{
			"service": "container", "services": "container", "resource": "container", "module": "template",
			"include": "template", "terraform": "environment", "project": "environment", "machine": "windows", "server": "windows",
			"vm": "windows", "task": "job", "run": "job", "init_container": "job", "secret": "credential", "secrets": "credential", "volumes": "volume",
			"local": "locals", "variables": "variable", "outputs": "output", "input": "variable", "name": "environment",
		},
		Absent: map[string]string{
			"provider": "envctl knows Docker and Windows by itself: leave the block out.",
			"data":     "What is there already is named where it is used: an image, a machine's address, a volume with external.",
			"networks": noNetworks,
			"network":  noNetworks,
			"configs":  "A file's text stands in a file block of the container.",
			"version":  "A spec needs none: leave it out. The version of envctl that it needs is requires in the environment block.",
			"backend":  "envctl keeps no state file: leave the block out.",
		},
		Blocks: []*block{
			environmentBlock(), variableBlock(), localsBlock(), credentialBlock(), containerBlock(), jobBlock(),
			windowsBlock(), volumeBlock(), templateBlock(), outputBlock(),
		},
	}
}

const noNetworks = "The containers of an environment share one network and reach each other by reference: leave it out."

func forEach() attribute {
	return attribute{Name: "for_each", Type: anyValue, Static: true,
		Doc: "A map, or a set or list of strings: makes one of these for each element, addressed by its key. `each.key` and `each.value` stand for the element."}
}

func environmentBlock() *block {
	return &block{
		Name: "environment", Labels: []string{"name"}, Max: 1,
		Doc:     "Names the environment. Every spec has one.",
		Foreign: map[string]string{"required_version": "requires", "envctl_version": "requires"},
		Absent:  map[string]string{"name": "The name is the label: environment \"NAME\" { }."},
		Attrs: []attribute{
			{Name: "requires", Type: stringValue, Static: true, Doc: "Constraint on envctl's own version, such as `\">= 0.1\"`."},
			{Name: "version", Type: stringValue, Static: true, Doc: "The version of the folder, such as `\"1.2.0\"`, for those who use it as a template."},
			{Name: "description", Type: stringValue, Static: true, Doc: "What the environment is for."},
		},
	}
}

func variableBlock() *block {
	return &block{
		Name: "variable", Labels: []string{"name"},
		Foreign: map[string]string{"value": "default", "secret": "sensitive"},
		Absent:  map[string]string{"nullable": "Every variable may be null: leave it out, or refuse null in a validation block."},
		Doc:     "A value that whoever uses the spec gives, read as `var.NAME`. Later ones win: `ENVCTL_VAR_NAME`, `*.auto.vars.hcl`, `--var-file`, `--var`.",
		Attrs: []attribute{
			{Name: "type", Type: typeConstraint, Literal: true, Doc: "What values it takes: `string`, `number`, `bool`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` with `optional(TYPE, DEFAULT)`; any where left out."},
			{Name: "description", Type: stringValue, Static: true, Doc: "What the value means."},
			{Name: "default", Type: anyValue, Static: true, Doc: "The value where none is given. Without a default one must be given."},
			{Name: "sensitive", Type: boolValue, Static: true, Doc: "Hides the value wherever it goes."},
		},
		Blocks: []*block{{
			Name: "validation", Doc: "A rule that the value must keep.",
			Attrs: []attribute{
				{Name: "condition", Type: boolValue, Required: true, Static: true, Doc: "True where the value is good."},
				{Name: "error_message", Type: stringValue, Required: true, Static: true, Doc: "What to say where the value is not good."},
			},
		}},
	}
}

func localsBlock() *block {
	return &block{
		Name: "locals", Free: true,
		Doc: "Names for expressions, read as `local.NAME`. A local is evaluated at the vantage of the body that reads it.",
	}
}

func templateBlock() *block {
	return &block{
		Name: "template", Labels: []string{"name"},
		Doc:     "A set of blocks from another folder, with a scope of its own. Its outputs are `template.NAME.OUTPUT`.",
		Foreign: map[string]string{"input": "inputs", "variables": "inputs", "vars": "inputs", "path": "source"},
		Absent: map[string]string{
			"for_each": "Put for_each on the blocks inside the template, over an input.", "count": "Put for_each on the blocks inside the template, over an input.",
			"providers": "envctl knows Docker and Windows by itself: leave it out.", "depends_on": "A reference to what it waits for, in its inputs, orders it.",
		},
		Attrs: []attribute{
			{Name: "source", Type: stringValue, Required: true, Static: true, Doc: "The folder, as a path that starts with `./` or `../`."},
			{Name: "version", Type: stringValue, Static: true, Doc: "Constraint on the version that the template's environment block states, such as `\"~> 1.2\"`."},
		},
		Blocks: []*block{{Name: "inputs", Max: 1, Free: true, Doc: "The values of the template's variables. Each stays an expression, evaluated at the vantage of whoever reads it."}},
	}
}

func outputBlock() *block {
	return &block{
		Name: "output", Labels: []string{"name"},
		Doc: "A value that `up`, `outputs` and `env` print, as the host sees it.",
		Attrs: []attribute{
			{Name: "value", Type: anyValue, Required: true, Doc: "What it gives."},
			{Name: "description", Type: stringValue, Static: true, Doc: "What the value means."},
			{Name: "sensitive", Type: boolValue, Static: true, Doc: "Hides the value; a value that holds a secret is hidden anyway."},
		},
	}
}

const noPassword = "Whoever reads the spec would see it. Say where it comes from: generate { }, env { }, file { }, command { } or keychain { }."

func credentialBlock() *block {
	return &block{
		Name: "credential", Labels: []string{"name"},
		Doc: "A user name and a password, read as `credential.NAME.username` and `credential.NAME.password`. The password is secret wherever it goes.",
		Attrs: []attribute{
			{Name: "username", Type: stringValue, Static: true, Doc: "The user name, where the source does not give it."},
			forEach(),
		},
		ExactlyOne: [][]string{{"generate", "env", "file", "command", "keychain"}},
		Foreign:    map[string]string{"password": "generate", "value": "generate", "secret": "generate", "user": "username", "random": "generate", "environment": "env"},
		Absent: map[string]string{
			"password": noPassword, "value": noPassword, "secret": noPassword,
		},
		Blocks: []*block{
			{Name: "generate", Max: 1, Static: true, Doc: "Makes a password once and keeps it in the credential store.", Attrs: []attribute{
				{Name: "length", Type: intValue, Doc: "How many characters; 24 where left out."},
			}},
			{Name: "env", Max: 1, Static: true, Doc: "Takes it from environment variables of the host.", Attrs: []attribute{
				{Name: "username", Type: stringValue, Doc: "The variable that holds the user name."},
				{Name: "password", Type: stringValue, Required: true, Doc: "The variable that holds the password."},
			}},
			{Name: "file", Max: 1, Static: true, Doc: "Takes the password from a file's first line.", Attrs: []attribute{
				{Name: "path", Type: stringValue, Required: true, Doc: "The file, from the spec's folder."},
			}},
			{Name: "command", Max: 1, Static: true, Doc: "Runs a command on the host that prints the password on its first line.", Attrs: []attribute{
				{Name: "run", Type: stringsValue, Required: true, Doc: "The program and its arguments."},
			}},
			{Name: "keychain", Max: 1, Static: true, Doc: "Takes the password from the system's keychain.", Attrs: []attribute{
				{Name: "service", Type: stringValue, Required: true, Doc: "The item's service."},
				{Name: "account", Type: stringValue, Doc: "The item's account; the user name where left out."},
			}},
		},
	}
}

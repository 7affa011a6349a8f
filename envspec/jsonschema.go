package envspec

import (
	"encoding/json"
	"fmt"
)

type schemaNode map[string]any

// JSONSchema gives the language's table as a JSON Schema (draft 2020-12) of a spec's tree: blocks
// as objects by name and label, arguments as properties. Editors complete and check by it. An
// expression may stand in place of every value, as a string with ${…}.
func JSONSchema() ([]byte, error) {
	root := blockSchema(language())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "envctl spec"
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the JSON schema: %w", err)
	}
	return append(b, '\n'), nil
}

func blockSchema(b *block) schemaNode {
	props := schemaNode{}
	var required []string
	for _, a := range b.Attrs {
		props[a.Name] = a.schema()
		if a.Required {
			required = append(required, a.Name)
		}
	}
	for _, c := range b.Blocks {
		props[c.Name] = c.nested(props[c.Name])
		if c.Required {
			required = append(required, c.Name)
		}
	}
	node := schemaNode{"type": "object", "properties": props, "additionalProperties": b.Free}
	if b.Doc != "" {
		node["description"] = b.Doc
	}
	if len(required) > 0 {
		node["required"] = required
	}
	var all []schemaNode
	for _, set := range b.ExactlyOne {
		var one []schemaNode
		for _, name := range set {
			one = append(one, schemaNode{"required": []string{name}})
		}
		all = append(all, schemaNode{"oneOf": one})
	}
	if all != nil {
		node["allOf"] = all
	}
	return node
}

// nested is a block where it stands in another: by label where it has one.
func (b *block) nested(same any) any {
	body := blockSchema(b)
	var node any = body
	switch {
	case len(b.LabelEnum) > 0:
		props := schemaNode{}
		for _, l := range b.LabelEnum {
			props[l] = body
		}
		node = schemaNode{"type": "object", "properties": props, "additionalProperties": false}
	case len(b.Labels) > 0:
		node = schemaNode{"type": "object", "additionalProperties": body}
	case b.Max != 1:
		node = schemaNode{"oneOf": []any{body, schemaNode{"type": "array", "items": body}}}
	}
	if same != nil {
		return schemaNode{"anyOf": []any{same, node}} // a name that is an argument and a block
	}
	return node
}

func (a *attribute) schema() schemaNode {
	expression := schemaNode{"type": "string", "pattern": `\$\{`}
	var plain schemaNode
	switch a.Type {
	case stringValue, textValue, durationValue, mountSource:
		plain = schemaNode{"type": "string"}
	case intValue:
		plain = schemaNode{"type": "integer"}
	case numberValue:
		plain = schemaNode{"type": "number"}
	case boolValue:
		plain = schemaNode{"type": "boolean"}
	case stringsValue, resourceRefs:
		plain = schemaNode{"type": "array", "items": schemaNode{"type": "string"}}
	case textsValue, mapValue:
		plain = schemaNode{"type": "object", "additionalProperties": schemaNode{"type": []string{"string", "number", "boolean", "null"}}}
	case sizeValue:
		plain = schemaNode{"type": []string{"string", "integer"}}
	case registryValues:
		plain = schemaNode{"type": "object"}
	}
	if len(a.Enum) > 0 {
		plain = schemaNode{"enum": a.Enum}
	}
	if plain == nil {
		return schemaNode{"description": a.Doc}
	}
	return schemaNode{"description": a.Doc, "anyOf": []schemaNode{plain, expression}}
}

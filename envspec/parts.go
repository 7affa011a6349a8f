package envspec

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// partSize is about how much of a file is parsed at once. HCL keeps all the tokens of what it parses until
// it is done, some forty times the text; in parts, a large spec takes little more than its syntax tree.
const partSize = 2 << 10

// parseSource parses a file. Where all of it is well-formed it is parsed in parts; else as a whole, so
// that what is said about a mistake does not depend on where a part would end.
func parseSource(src []byte, name string) (*hcl.File, hcl.Diagnostics) {
	if len(src) > 2*partSize {
		if body, ok := parseParts(src, name); ok {
			return &hcl.File{Body: body, Bytes: src}, nil
		}
	}
	return hclsyntax.ParseConfig(src, name, hcl.InitialPos)
}

// parseParts joins the bodies of a file's parts. It gives false where one of them is not well-formed by
// itself: there is a mistake, or a part ended inside a heredoc or a comment, which is one too.
func parseParts(src []byte, name string) (*hclsyntax.Body, bool) {
	var whole *hclsyntax.Body
	start := hcl.InitialPos
	for len(src) > 0 {
		n := partEnd(src)
		file, diags := hclsyntax.ParseConfig(src[:n], name, start)
		if len(diags) > 0 {
			return nil, false
		}
		part := file.Body.(*hclsyntax.Body)
		if whole == nil {
			whole = part
		} else if !join(whole, part) {
			return nil, false
		}
		start.Line += bytes.Count(src[:n], []byte("\n"))
		start.Byte += n
		src = src[n:]
	}
	return whole, whole != nil
}

// partEnd gives the end of the first line, from about partSize on, with which a block at the top ends.
func partEnd(src []byte) int {
	end := []byte("\n}\n")
	if len(src) > partSize {
		if i := bytes.Index(src[partSize:], end); i >= 0 {
			return partSize + i + len(end)
		}
	}
	return len(src)
}

// join adds a later part to a body, unless both have an argument of one name.
func join(whole, part *hclsyntax.Body) bool {
	for name, a := range part.Attributes {
		if whole.Attributes[name] != nil {
			return false
		}
		whole.Attributes[name] = a
	}
	whole.Blocks = append(whole.Blocks, part.Blocks...)
	whole.SrcRange = hcl.RangeBetween(whole.SrcRange, part.SrcRange)
	whole.EndRange = part.EndRange
	return true
}

package envspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format gives a file of the language its usual layout. A file with syntax errors is not touched, and
// the errors are given under filename.
func Format(src []byte, filename string) ([]byte, hcl.Diagnostics) {
	if _, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos); diags.HasErrors() {
		for _, d := range diags {
			d.Extra = CodeSyntax
		}
		return nil, firstOfEach(src, diags)
	}
	return hclwrite.Format(src), nil
}

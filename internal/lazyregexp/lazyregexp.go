// Package lazyregexp compiles regular expressions when they are first used. Most commands use few of those that
// envctl has, and compiling all of them before any is a tenth of what a short command costs.
package lazyregexp

import (
	"regexp"
	"sync"
)

// Regexp is a regular expression with the methods of the standard library's that envctl uses.
type Regexp struct{ compiled func() *regexp.Regexp }

// New takes an expression; the first use of one that is not valid panics.
func New(expr string) *Regexp {
	return &Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })}
}

// MatchString is that of package regexp, as the others are.
func (r *Regexp) MatchString(s string) bool { return r.compiled().MatchString(s) }

// FindString gives the first match.
func (r *Regexp) FindString(s string) string { return r.compiled().FindString(s) }

// FindStringIndex gives where the first match is.
func (r *Regexp) FindStringIndex(s string) []int { return r.compiled().FindStringIndex(s) }

// FindStringSubmatch gives the first match and its parts.
func (r *Regexp) FindStringSubmatch(s string) []string { return r.compiled().FindStringSubmatch(s) }

// ReplaceAllString replaces each match.
func (r *Regexp) ReplaceAllString(src, repl string) string {
	return r.compiled().ReplaceAllString(src, repl)
}

// ReplaceAllStringFunc replaces each match by what a function makes of it.
func (r *Regexp) ReplaceAllStringFunc(src string, repl func(string) string) string {
	return r.compiled().ReplaceAllStringFunc(src, repl)
}

// FindIndex gives where the first match is.
func (r *Regexp) FindIndex(b []byte) []int { return r.compiled().FindIndex(b) }

// ReplaceAllFunc replaces each match by what a function makes of it.
func (r *Regexp) ReplaceAllFunc(src []byte, repl func([]byte) []byte) []byte {
	return r.compiled().ReplaceAllFunc(src, repl)
}

// FindAllString gives up to n matches, or all for -1.
func (r *Regexp) FindAllString(s string, n int) []string { return r.compiled().FindAllString(s, n) }

// FindAllStringIndex gives where they are.
func (r *Regexp) FindAllStringIndex(s string, n int) [][]int {
	return r.compiled().FindAllStringIndex(s, n)
}

// FindAllStringSubmatch gives them and their parts.
func (r *Regexp) FindAllStringSubmatch(s string, n int) [][]string {
	return r.compiled().FindAllStringSubmatch(s, n)
}

// FindAllStringSubmatchIndex gives where they and their parts are.
func (r *Regexp) FindAllStringSubmatchIndex(s string, n int) [][]int {
	return r.compiled().FindAllStringSubmatchIndex(s, n)
}

// FindAllSubmatchIndex gives where matches and their parts are.
func (r *Regexp) FindAllSubmatchIndex(b []byte, n int) [][]int {
	return r.compiled().FindAllSubmatchIndex(b, n)
}

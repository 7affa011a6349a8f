package egress

import (
	"strings"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// untrusted are the words in which programs say that they do not know who signed a certificate: Go, OpenSSL, curl, git,
// Python, Node, GnuTLS (apt, wget), Java.
var untrusted = lazyregexp.New(`(?i)certificate signed by unknown authority|self[- ]signed certificate in certificate chain|` +
	`unable to get (?:local )?issuer certificate|unable to verify the first certificate|CERTIFICATE_VERIFY_FAILED|certificate verify failed|` +
	`SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|certificate issuer is unknown|` +
	`cannot verify .* certificate, issued by|PKIX path building failed|certificate is not trusted`)

// named are the places where they name the issuer.
var named = []*lazyregexp.Regexp{
	lazyregexp.New(`issued by ['"‘“]([^'"’”\n]+)['"’”]`),                        // wget
	lazyregexp.New(`(?m)^[ *]*issuer: *(.+?)\s*$`),                              // curl -v
	lazyregexp.New(`candidate authority certificate \\?"([^"\\]+)\\?"`),         // Go
	lazyregexp.New(`(?m)^\s*i:(.+?)\s*$`),                                       // openssl s_client
	lazyregexp.New(`(?m)^depth=\d+ (.+?)\n(?:.*\n)?verify error:num=(?:19|20)`), // the same
}

// Inspected reports whether words are those of a TLS connection that failed because nobody knows who signed the
// certificate, as where a proxy opens it. Issuer is who did, where that is said.
func Inspected(words string) (issuer string, yes bool) {
	if !untrusted.MatchString(words) {
		return "", false
	}
	for _, r := range named {
		if m := r.FindStringSubmatch(words); m != nil {
			return strings.TrimSpace(m[1]), true
		}
	}
	return "", true
}

// Suspicion says in words that a proxy may be in between, signing with the CA issuer ("" where that is not known).
func Suspicion(issuer string) string {
	if issuer == "" {
		return "a proxy that inspects TLS may be in between"
	}
	return "a proxy that inspects TLS may be in between: the certificate was issued by " + quote(issuer)
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, "'") + `"` }

// Remedy says what makes containers, builds and our own clients trust such a proxy. Config is the path of the user's
// configuration; s is what was set.
func Remedy(config string, s *Settings) string {
	if s != nil && s.CA != "" {
		return "the CAs named in " + config + " are trusted already, and this one is not among them; add its certificate to `ca_file` there"
	}
	return "put its CA's certificate into a file and name that as `ca_file` in the block `network { … }` of " + config + " (docs/network.md)"
}

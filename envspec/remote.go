package envspec

import (
	"net/url"
	"path"
	"strings"

	"github.com/envctl/envctl/internal/guestproto"
	"github.com/envctl/envctl/internal/lazyregexp"
)

var (
	// scheme matches what begins like a URL; "C:\\x" is none.
	scheme = lazyregexp.New(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	// fileName matches what may be a file's name on Windows too.
	fileName = lazyregexp.New(`^[^<>:"/\\|?*\x00-\x1f]*[^<>:"/\\|?*\x00-\x1f. ]$`)
)

// remoteSource reads a layer's file that lies at a URL. It is not asked for here. What is said of the URL does not
// quote it: it may hold a password or a token.
func (r *reader) remoteSource(text string) guestproto.Source {
	want := r.fingerprint("sha256")
	refuse := func(code Code, summary, detail string, args ...any) guestproto.Source {
		r.report(fault(code, r.rangeOf("source"), summary, detail, args...))
		return guestproto.Source{}
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return refuse(CodeValue, "Not a URL", "A file to fetch is named as \"https://example.com/pas-7.2.msi\".")
	}
	name := path.Base(u.Path)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse(CodeValue, "Not fetched from there", "envctl fetches over https://, not %s://. Download the file beside the spec and name it here.", u.Scheme)
	case u.User != nil:
		return refuse(CodeSecret, "A login in a URL", "What is in the spec is shown to people, so a login does not belong in it. Where the server gives out URLs with a token in their query, take one of those; envctl shows no query. Else download the file beside the spec and name it here.")
	case u.Scheme == "http" && !r.has("sha256"):
		return refuse(CodeConflict, "Anybody on the way could change it", "Over http:// a file is fetched only where \"sha256\" says what it has to be. Write it here, or use https://.")
	case strings.HasSuffix(u.Path, "/") || !fileName.MatchString(name):
		return refuse(CodeValue, "No file's name", "The path of the URL has to end with the name of the file, as in \"https://example.com/pas-7.2.msi\".")
	}
	u.Fragment, u.RawFragment = "", ""
	return guestproto.Source{URL: u.String(), SHA256: want, Name: name}
}

// secretInURL matches the parts of a URL that may be secret, in a line of a spec.
var secretInURL = lazyregexp.New(`://[^/\s"@?#]*@|(https?://[^\s"?#]*\?)[^\s"#$]+`)

// maskURLs replaces them with as many stars, so that what is underlined stays in its place.
func maskURLs(line string) string {
	return secretInURL.ReplaceAllStringFunc(line, func(found string) string {
		if at := strings.IndexByte(found, '?'); at >= 0 {
			return found[:at+1] + strings.Repeat("*", len([]rune(found[at+1:])))
		}
		return "://" + strings.Repeat("*", len([]rune(found))-len("://@")) + "@"
	})
}

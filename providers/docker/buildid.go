package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/lazyregexp"
	"github.com/envctl/envctl/internal/secret"
	"github.com/envctl/envctl/providers"
)

// BuildPart is the name of the part in providers.Node.Parts that holds a build's identity. An image is
// tagged with the identity that was planned, which is known without the values of secrets.
const BuildPart = "build"

var buildIdentity = lazyregexp.New(`^[0-9a-f]{32}$`)

// BuildIdentity is the hash of all that an image is built from, 32 hex digits: the context without what
// .dockerignore leaves out, the Dockerfile, target, arguments, secrets, platform and the locked base images. The
// times and modes of files count for nothing, but whether one is executable does. Arguments and secrets count
// with the values they have: while planning, what is secret is a stand-in.
func BuildIdentity(b *envspec.Build, platform string) (string, error) {
	c, err := loadContext(b)
	if err != nil {
		return "", err
	}
	return c.identity(b, platform)
}

func (c *buildContext) identity(b *envspec.Build, platform string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "envctl build 1\ndockerfile %q\ntarget %q\nplatform %q\n", c.dockerfile, b.Target, platform)
	for _, k := range slices.Sorted(maps.Keys(b.Args)) {
		fmt.Fprintf(h, "arg %q %q\n", k, b.Args[k].Reveal())
	}
	for _, k := range slices.Sorted(maps.Keys(b.Secrets)) {
		fmt.Fprintf(h, "secret %q %q\n", k, b.Secrets[k].Reveal())
	}
	for _, k := range slices.Sorted(maps.Keys(b.From)) {
		fmt.Fprintf(h, "from %q %q\n", k, b.From[k])
	}
	if err := c.hash(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// BaseImages lists the images that a build starts from, as its Dockerfile names them with arguments put
// in; stages of its own and "scratch" are none. They are the keys of envspec.Build.From.
func BaseImages(b *envspec.Build) ([]string, error) {
	c, err := loadContext(b)
	if err != nil {
		return nil, err
	}
	return parseDockerfile(c.dockerfile, plainArgs(b)).bases(), nil
}

// plainArgs gives the arguments that a base image's name may use: those that are no secret.
func plainArgs(b *envspec.Build) map[string]string {
	args := map[string]string{}
	for k, v := range b.Args {
		if !v.Sensitive {
			args[k] = v.Reveal()
		}
	}
	return args
}

// buildTag names the image of a build: by what it is built from, so that one that is there need not be built.
func buildTag(c providers.Change, body *envspec.Container) (string, error) {
	id := c.Node.Parts[BuildPart]
	if !buildIdentity.MatchString(id) {
		var err error
		if id, err = publicIdentity(body.Build, body.Platform); err != nil {
			return "", err
		}
	}
	name := body.Build.Tag
	if name == "" {
		name = slug(c.Instance.Environment) + "-" + body.Addr.DNS()
	}
	return "envctl/" + slug(name) + ":" + id[:16], nil
}

// publicIdentity leaves the values of secrets out, which must not be guessable from a tag.
func publicIdentity(b *envspec.Build, platform string) (string, error) {
	public := *b
	public.Args, public.Secrets = maps.Clone(b.Args), maps.Clone(b.Secrets)
	for _, values := range []map[string]secret.Text{public.Args, public.Secrets} {
		for k, v := range values {
			if v.Sensitive {
				v.Value = ""
				values[k] = v
			}
		}
	}
	return BuildIdentity(&public, platform)
}

func hasSecrets(b *envspec.Build) bool {
	sensitive := func(v secret.Text) bool { return v.Sensitive }
	return len(b.Secrets) > 0 || slices.ContainsFunc(slices.Collect(maps.Values(b.Args)), sensitive)
}

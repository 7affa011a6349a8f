package docker

import (
	"context"
	"fmt"
	"net"

	"github.com/docker/docker/api/types/build"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/blob"
	"github.com/envctl/envctl/providers/docker/kit"
)

// kitBuild lets the engine's BuildKit make an image. It asks for what it needs, the context's files, credentials and
// secrets, over a session, which is a connection of its own.
func (p *Provider) kitBuild(ctx context.Context, r recipe, opts build.ImageBuildOptions) (*tail, error) {
	pins, release, err := p.kitPins(ctx, r.change.Instance, r.build.From)
	defer release()
	if err != nil {
		return &tail{}, err
	}
	files, err := r.source.kitDir()
	if err != nil {
		return &tail{}, fmt.Errorf("the build's context: %w", err)
	}
	s := &kit.Session{
		ID:     kit.NewID(),
		Shared: r.source.dir,
		Dirs: map[string]kit.Dir{
			"context": files, "dockerfile": dockerfileDir(r.file.rewrite(pins, "", r.egress.args, r.egress.mounts()), r.source.ignore),
		},
		Credentials: p.kitCredentials,
		Secrets:     r.egress.secrets(buildSecrets(r.build)),
	}
	dial := func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
		return p.api.DialHijack(ctx, "/session", proto, meta)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx, dial); err != nil {
			cancel(fmt.Errorf("the engine takes no session for BuildKit: %w; with DOCKER_BUILDKIT=0 it builds without", err))
		}
	}()
	defer func() {
		cancel(nil)
		<-ended
	}()
	opts.Version, opts.SessionID, opts.RemoteContext = build.BuilderBuildKit, s.ID, "client-session"
	t := newTrace(r.report)
	resp, err := p.api.ImageBuild(ctx, nil, opts)
	if err == nil {
		err = readMessages(resp.Body, t.read)
		_ = resp.Body.Close()
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return t.tail(), r.file.explainSyntax(err, t.failed())
}

// dockerfileDir is the folder that BuildKit reads the Dockerfile and what it ignores from.
func dockerfileDir(text, ignore string) kit.Dir {
	files := map[string]blob.Blob{"Dockerfile": blob.Of([]byte(text))}
	if ignore != "" {
		files["Dockerfile.dockerignore"] = blob.Of([]byte(ignore))
	}
	c := buildContext{files: files}
	dir, err := c.kitDir()
	if err != nil {
		panic(err) // it is in memory
	}
	return dir
}

func buildSecrets(b *envspec.Build) map[string][]byte {
	secrets := map[string][]byte{}
	for id, v := range b.Secrets {
		secrets[id] = []byte(v.Reveal())
	}
	return secrets
}

// kitCredentials gives those of one registry; none where `docker login` left none.
func (p *Provider) kitCredentials(ctx context.Context, registry string) (username, secret string, err error) {
	if registry == "registry-1.docker.io" {
		registry = "docker.io"
	}
	found, err := p.auth.lookup(ctx, registry)
	if err != nil {
		return "", "", err
	}
	if found.IdentityToken != "" {
		return "", found.IdentityToken, nil
	}
	return found.Username, found.Password, nil
}

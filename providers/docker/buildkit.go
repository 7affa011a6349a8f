package docker

import (
	"context"
	"fmt"
	"net"

	"github.com/docker/docker/api/types/build"
	"github.com/moby/buildkit/session"
	kitauth "github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"google.golang.org/grpc"

	"github.com/envctl/envctl/envspec"
	"github.com/envctl/envctl/internal/blob"
)

// kitBuild lets the engine's BuildKit make an image. It asks for what it needs, the context's files, credentials and
// secrets, over a session, which is a connection of its own.
func (p *Provider) kitBuild(ctx context.Context, r recipe, opts build.ImageBuildOptions) (*tail, error) {
	pins, release, err := p.kitPins(ctx, r.change.Instance, r.build.From)
	defer release()
	if err != nil {
		return &tail{}, err
	}
	files, err := r.source.fs()
	if err != nil {
		return &tail{}, fmt.Errorf("the build's context: %w", err)
	}
	s, err := session.NewSession(ctx, r.source.dir)
	if err != nil {
		return &tail{}, err
	}
	s.Allow(filesync.NewFSSyncProvider(filesync.StaticDirSource{
		"context": files, "dockerfile": dockerfileFS(r.file.rewrite(pins, "", r.egress.args, r.egress.mounts()), r.source.ignore),
	}))
	s.Allow(registryAuth{store: p.auth})
	s.Allow(secretsprovider.FromMap(r.egress.secrets(buildSecrets(r.build))))

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
		_ = s.Close() // always nil
		<-ended
	}()
	opts.Version, opts.SessionID, opts.RemoteContext = build.BuilderBuildKit, s.ID(), "client-session"
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

// dockerfileFS is the folder that BuildKit reads the Dockerfile and what it ignores from.
func dockerfileFS(text, ignore string) *buildFS {
	files := map[string]blob.Blob{"Dockerfile": blob.Of([]byte(text))}
	if ignore != "" {
		files["Dockerfile.dockerignore"] = blob.Of([]byte(ignore))
	}
	c := buildContext{files: files}
	f, err := c.fs()
	if err != nil {
		panic(err) // it is in memory
	}
	return f
}

func buildSecrets(b *envspec.Build) map[string][]byte {
	secrets := map[string][]byte{}
	for id, v := range b.Secrets {
		secrets[id] = []byte(v.Reveal())
	}
	return secrets
}

// registryAuth answers BuildKit's questions for credentials.
type registryAuth struct {
	kitauth.UnimplementedAuthServer
	store authStore
}

// Register is called by the session.
func (a registryAuth) Register(s *grpc.Server) { kitauth.RegisterAuthServer(s, a) }

// Credentials gives those of one registry; none where `docker login` left none.
func (a registryAuth) Credentials(ctx context.Context, r *kitauth.CredentialsRequest) (*kitauth.CredentialsResponse, error) {
	domain := r.GetHost()
	if domain == "registry-1.docker.io" {
		domain = "docker.io"
	}
	found, err := a.store.lookup(ctx, domain)
	if err != nil {
		return nil, err
	}
	if found.IdentityToken != "" {
		return &kitauth.CredentialsResponse{Secret: found.IdentityToken}, nil
	}
	return &kitauth.CredentialsResponse{Username: found.Username, Secret: found.Password}, nil
}

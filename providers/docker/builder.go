package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/versions"
)

// kitSince is the first version of the engine's API under which BuildKit is there without being asked for.
const kitSince = "1.40"

// builder is what an engine makes images with.
type builder struct {
	kit bool   // BuildKit; else the classic builder
	why string // there is no BuildKit
}

// builder chooses as the docker command does: DOCKER_BUILDKIT decides, else what the engine prefers, else BuildKit
// where the engine has it.
func (p *Provider) builder(ctx context.Context) (builder, error) {
	const setting = "DOCKER_BUILDKIT"
	if text := p.getenv(setting); text != "" {
		kit, err := strconv.ParseBool(text)
		if err != nil {
			return builder{}, fmt.Errorf("%s is %q; set it to 1 or 0, or leave it out", setting, text)
		}
		return builder{kit: kit, why: setting + "=" + text + " turns it off"}, nil
	}
	ping, err := p.api.Ping(ctx)
	if err != nil {
		return builder{}, err
	}
	version, err := p.api.ServerVersion(ctx)
	if err != nil {
		return builder{}, err
	}
	return chooseBuilder(ping, version), nil
}

func chooseBuilder(ping types.Ping, engine types.Version) builder {
	docker := slices.ContainsFunc(engine.Components, func(c types.ComponentVersion) bool { return c.Name == "Engine" })
	switch {
	case ping.BuilderVersion == build.BuilderBuildKit:
		return builder{kit: true}
	case ping.BuilderVersion == build.BuilderV1:
		return builder{why: "the engine's configuration turns it off"}
	case !docker:
		return builder{why: "this engine is not Docker's own, and has none"}
	case engine.Os == "windows":
		return builder{why: "it makes no Windows containers"}
	case versions.LessThan(engine.APIVersion, kitSince):
		return builder{why: "version " + engine.Version + " of the engine is too old for it"}
	}
	return builder{kit: true}
}

package envspec

// buildBlock says how an image is made. All of it but the value of a secret is static, so that the image is known
// before anything has an address.
func buildBlock() *block {
	return &block{
		Name: "build", Max: 1, Doc: "Builds the image: with BuildKit where the engine offers it, and else with its classic builder.",
		AtMostOne: [][]string{{"dockerfile", "inline"}},
		Foreign:   map[string]string{"secrets": "secret", "dockerfile_inline": "inline"},
		Attrs: []attribute{
			{Name: "context", Type: stringValue, Static: true, Doc: "Folder that the build sees, from the spec's folder."},
			{Name: "dockerfile", Type: stringValue, Static: true, Doc: "The Dockerfile, from the context; `\"Dockerfile\"` where left out."},
			{Name: "inline", Type: stringValue, Static: true, Doc: "A Dockerfile's text."},
			{Name: "target", Type: stringValue, Static: true, Doc: "The stage to build."},
			{Name: "args", Type: mapValue, Static: true, Doc: "Build arguments.", Instead: "Build arguments stay in the image's history. Hand the secret over in a secret block of the build, or when the container runs, in env or in a file block."},
			{Name: "cache_from", Type: stringsValue, Static: true, Doc: "Images whose layers may be used in place of building them again; one that cannot be had is done without."},
		},
		Blocks: []*block{{
			Name: "secret", Labels: []string{"id"}, ExactlyOne: [][]string{{"value", "source"}},
			Doc: "A file that a step with `RUN --mount=type=secret,id=ID` finds at `/run/secrets/ID`, and no layer keeps. Needs BuildKit, which does not run a step again that it remembers because a secret is another: `up --rebuild` does.",
			Attrs: []attribute{
				{Name: "value", Type: textValue, Doc: "What is in it."},
				{Name: "source", Type: stringValue, Static: true, Doc: "A file of the host, from the spec's folder."},
			},
		}},
	}
}

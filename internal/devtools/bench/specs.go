package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// specs writes one environment in both languages into a new folder and gives it. Nothing is kept in
// memory: the size of this process at a fork shows in what its children report as theirs.
func (b *bench) specs(name string, write func(w io.Writer, language string)) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for file, language := range map[string]string{"env.envctl.hcl": "hcl", "compose.yaml": "yaml"} {
		f, err := os.Create(filepath.Join(dir, file))
		if err != nil {
			return "", err
		}
		w := bufio.NewWriter(f)
		write(w, language)
		if err := w.Flush(); err != nil {
			return "", err
		}
		if err := f.Close(); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// sleepers are n containers that start at once and end when told to.
func (b *bench) sleepers(name string, n int) func(io.Writer, string) {
	return func(w io.Writer, language string) {
		header(w, language, name)
		for i := range n {
			if language == "yaml" {
				fmt.Fprintf(w, "  n%04d:\n    image: %s\n    command: [sleep, infinity]\n    init: true\n    environment:\n      NUMBER: \"%d\"\n      LEVEL: ${LEVEL:-info}\n", i, b.image, i)
				continue
			}
			fmt.Fprintf(w, "container \"n%04d\" {\n  image   = %q\n  command = [\"sleep\", \"infinity\"]\n  init    = true\n  env = {\n    NUMBER = \"%d\"\n    LEVEL  = var.level\n  }\n}\n\n", i, b.image, i)
		}
	}
}

// tiers are n containers in rows of three, each of which starts when the one before it is ready, as a page
// waits for a service and that for a database. Each is ready a tenth of a second after its start, and says so
// to the same check, a second apart at most.
func (b *bench) tiers(name string, n int) func(io.Writer, string) {
	return func(w io.Writer, language string) {
		header(w, language, name)
		for i := range n {
			after := i%3 > 0
			if language == "yaml" {
				fmt.Fprintf(w, "  n%04d:\n    image: %s\n    command: [sh, -c, \"sleep 0.1; touch /ready; exec sleep infinity\"]\n    init: true\n    environment:\n      LEVEL: ${LEVEL:-info}\n", i, b.image)
				fmt.Fprint(w, "    healthcheck:\n      test: [CMD, test, -e, /ready]\n      interval: 1s\n      retries: 60\n")
				if after {
					fmt.Fprintf(w, "    depends_on:\n      n%04d: {condition: service_healthy}\n", i-1)
				}
				continue
			}
			fmt.Fprintf(w, "container \"n%04d\" {\n  image   = %q\n  command = [\"sh\", \"-c\", \"sleep 0.1; touch /ready; exec sleep infinity\"]\n  init    = true\n  env = {\n    LEVEL = var.level\n  }\n", i, b.image)
			fmt.Fprint(w, "  ready {\n    exec     = [\"test\", \"-e\", \"/ready\"]\n    interval = \"1s\"\n    retries  = 60\n  }\n")
			if after {
				fmt.Fprintf(w, "  depends_on = [container.n%04d]\n", i-1)
			}
			fmt.Fprint(w, "}\n\n")
		}
	}
}

// references are n containers with a variable each, half of them with a port. All but the first refer to
// the one with a port about midway between the first and themselves, so that the order is a tree. Ten
// thousand ports would be all those that envctl assigns.
func (b *bench) references(name string, n int) func(io.Writer, string) {
	return func(w io.Writer, language string) {
		header(w, language, name)
		for i := range n {
			port, peer := i%2 == 0, i/4*2
			if language == "yaml" {
				fmt.Fprintf(w, "  n%05d:\n    image: %s\n    command: [sleep, infinity]\n    init: true\n", i, b.image)
				if port {
					fmt.Fprint(w, "    ports: [\"127.0.0.1::8080\"]\n")
				}
				fmt.Fprintf(w, "    environment:\n      NUMBER: \"%d\"\n      LEVEL: ${LEVEL:-info}\n", i)
				if peer != i {
					fmt.Fprintf(w, "      PEER: http://n%05d:8080\n    depends_on: [n%05d]\n", peer, peer)
				}
				continue
			}
			fmt.Fprintf(w, "container \"n%05d\" {\n  image   = %q\n  command = [\"sleep\", \"infinity\"]\n  init    = true\n", i, b.image)
			if port {
				fmt.Fprint(w, "  port \"api\" {\n    guest  = 8080\n    scheme = \"http\"\n  }\n")
			}
			fmt.Fprintf(w, "  env = {\n    NUMBER = \"%d\"\n    LEVEL  = var.level\n", i)
			if peer != i {
				fmt.Fprintf(w, "    PEER   = container.n%05d.port.api.url\n", peer)
			}
			fmt.Fprint(w, "  }\n}\n\n")
		}
	}
}

func header(w io.Writer, language, name string) {
	if language == "yaml" {
		fmt.Fprintf(w, "name: %s\nservices:\n", name)
		return
	}
	fmt.Fprintf(w, "environment %q {}\n\nvariable \"level\" {\n  type    = string\n  default = \"info\"\n}\n\n", name)
}

# What is built goes to bin/, except what envctl carries inside it: the helpers
# (internal/assets/files) and the quickstart's installer (templates/quickstart/installers).
# Works with GNU make from 3.81 on, as macOS has it.

GO      ?= go
VERSION ?= 0.1.0-dev

# The helpers take neither version nor commit: only a change of their code changes them, and what is
# on machines and in images stays as it is. envctl itself says which commit it is of, where git can tell.
LEAN := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w'
VCS  := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)
# grpcnotrace leaves out grpc's pages about itself. With them come html/template and, as templates call methods by
# name, every method of every type: a sixth of the binary.
FULL := CGO_ENABLED=0 $(GO) build -tags grpcnotrace -trimpath -buildvcs=$(VCS) -ldflags '-s -w -X main.version=$(VERSION)'

FILES   := internal/assets/files
HELPERS := $(FILES)/envctl-guest-amd64.exe.gz $(FILES)/envctl-guest-arm64.exe.gz \
           $(FILES)/envctl-node-amd64.gz $(FILES)/envctl-node-arm64.gz
MSI     := templates/quickstart/installers/pas.msi

.PHONY: build assets test test-faults demo bench lint fmt check clean generate help FORCE
.DEFAULT_GOAL := build

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/	/' | sort

build: assets ## bin/envctl, with all that it carries
	$(FULL) -o bin/envctl ./cmd/envctl

assets: $(HELPERS) $(MSI) ## only what envctl carries

# Go knows best what is stale. A build goes to a file beside the target, which is replaced, and so takes
# part in make's own reckoning, only where its content changed.
bin/helpers/envctl-guest-%.exe: FORCE
	@mkdir -p $(@D)
	@GOOS=windows GOARCH=$* $(LEAN) -o $@.new ./cmd/envctl-guest
	@cmp -s $@.new $@ || { cp $@.new $@; echo "built $@"; }

bin/helpers/envctl-node-%: FORCE
	@mkdir -p $(@D)
	@GOOS=linux GOARCH=$* $(LEAN) -o $@.new ./cmd/envctl-node
	@cmp -s $@.new $@ || { cp $@.new $@; echo "built $@"; }

bin/msi/pas.exe: FORCE
	@mkdir -p $(@D)
	@GOOS=windows GOARCH=amd64 $(LEAN) -o $@.new ./templates/quickstart/pas
	@cmp -s $@.new $@ || { cp $@.new $@; echo "built $@"; }

$(FILES)/%.gz: bin/helpers/%
	@{ sha256sum $< 2>/dev/null || shasum -a 256 $<; } | cut -d ' ' -f 1 > $(@:.gz=.sha256)
	gzip -n -9 -c $< > $@.new && mv $@.new $@

# The path bin/helpers/% above matches no target with a pattern of its own in make 3.81; name them.
$(FILES)/envctl-guest-amd64.exe.gz: bin/helpers/envctl-guest-amd64.exe
$(FILES)/envctl-guest-arm64.exe.gz: bin/helpers/envctl-guest-arm64.exe
$(FILES)/envctl-node-amd64.gz: bin/helpers/envctl-node-amd64
$(FILES)/envctl-node-arm64.gz: bin/helpers/envctl-node-arm64

.PRECIOUS: bin/helpers/% bin/msi/pas.exe

$(MSI): bin/msi/pas.exe templates/quickstart/pas/pas.wxs .ci/msi
	GO="$(GO)" .ci/msi bin/msi/pas.exe templates/quickstart/pas/pas.wxs $@

test: build ## every test, with the race detector, on a real engine
	.ci/prerequisites engine image wixl winrm registry far
	ENVCTL_TEST_REQUIRE=1 $(GO) test -race -timeout 30m $(TESTFLAGS) ./...

test-faults: build ## kill -9, engines that stop or are full, clocks that leap, with figures; FAULTFLAGS='-seed 7'
	.ci/faults $(FAULTFLAGS)

demo: ## the quickstart from nothing: build, up, a request through it, an HL7 message
	.ci/demo

bench: build ## envctl beside Docker Compose ($COMPOSE_BIN, or its plugin); BENCHFLAGS=-full for every size
	$(GO) run ./internal/devtools/bench $(BENCHFLAGS)

lint: ## formatting, vet for the three systems, linters
	.ci/lint

check: lint test ## what a change has to pass

fmt: ## format the Go code
	gofmt -w $$(git ls-files '*.go')

generate: ## whatever go:generate makes
	$(GO) generate ./...

clean: ## remove what make built
	rm -rf bin dist $(FILES)/*.gz $(FILES)/*.sha256 $(FILES)/*.new $(MSI)

FORCE:

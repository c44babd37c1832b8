# Each target is one line of duty; `make help` prints them.
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -X github.com/libertaphonix/libertaphonix/kit/run.Version=$(VERSION)
COMMANDS := $(wildcard ./services/*/cmd/* ./gateway/cmd/* ./dev/cmd/*)
MODULES   = $(shell go list -m -f '{{.Dir}}')

# The tests of the modules run first and two packages at a time, each with a PostgreSQL of its own; e2e then has the machine to itself, and is never
# taken from the cache: it tests programs that Go does not see it depend on.
TEST      = go test -race -p 2
TESTFLAGS ?=

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.PHONY: run
run: needs-run build ## Start everything with simulated shops and demo data; Ctrl-C stops it, the data stays in DATA_DIR (.data)
	@bin/stack run -prebuilt

.PHONY: up
up: needs-run build ## Start everything against the real upstreams that the environment names
	@bin/stack up -prebuilt

.PHONY: reset
reset: build ## Remove the data of earlier launches from DATA_DIR
	@bin/stack reset

.PHONY: build
build: ## Build all programs into bin/
	@[ -x bin/stack ] || echo "building the programs; the first time takes some minutes"
	@go build -o bin/ -ldflags '$(LDFLAGS)' $(addprefix ./,$(COMMANDS:./%=%))

.PHONY: test
test: needs-test ## All tests, race detector on; needs no network and nothing left running
	$(TEST) $(TESTFLAGS) $(addsuffix /...,$(filter-out %/e2e,$(MODULES)))
	$(TEST) -count=1 -timeout 20m $(TESTFLAGS) ./e2e/...

.PHONY: test-long
test-long: export LONG = 1
test-long: needs-test ## The same proofs with the full numbers
	$(TEST) -timeout 60m $(TESTFLAGS) $(addsuffix /...,$(filter-out %/e2e,$(MODULES)))
	$(TEST) -count=1 -timeout 120m $(TESTFLAGS) ./e2e/...

.PHONY: bench
bench: export LONG = 1
bench: needs-test ## The benchmarks, on a million orders where that matters
	go test -p 1 -run '^$$' -bench . -benchmem -timeout 120m $(TESTFLAGS) $(addsuffix /...,$(MODULES))

.PHONY: lint
lint: third_party/proto ## What .golangci.yml and buf.yaml ask for; offline once the tools are built
	$$(tools/tool golangci-lint) run $(addsuffix /...,$(MODULES))
	$$(tools/tool buf) lint
	$$(tools/tool buf) format --diff --exit-code proto

.PHONY: fmt
fmt: ## Format Go and proto files
	$$(tools/tool golangci-lint) fmt
	$$(tools/tool buf) format -w proto

.PHONY: generate
generate: ## Remake the generated code and the OpenAPI document from proto/; commit what changes
	@tools/generate

.PHONY: tidy
tidy: ## go mod tidy in every module, with one version of each dependency
	@tools/modules tidy

# What the contract imports from others, printed from the Go modules that tools/go.mod pins.
third_party/proto: tools/go.mod tools/protodeps/main.go
	@GOWORK=off go run -C tools ./protodeps ../$@ && touch $@

.PHONY: needs-run needs-test
needs-run:
	@tools/needs run
needs-test:
	@tools/needs test

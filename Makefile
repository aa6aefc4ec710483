# One command each; `make help` tells what there is.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Packages tested at once: each may load Kafka, OpenSearch and Redis, which share
# this machine with the tests. (-count 1: a cached result says nothing of services.)
TEST_PACKAGES_AT_ONCE ?= 2
TEST_TIMEOUT          ?= 15m
FUZZ_TIME             ?= 10s
SEEDS                 ?= 100000

# The image: its name, and what builds it (docker, podman, "docker buildx", buildah).
IMAGE         ?= search-indexer
IMAGE_BUILDER ?= docker build

.DEFAULT_GOAL := help
.PHONY: backpressure help image image-check build compose-check docs demo up down outages probes stack-status test test-chart test-observe test-security test-short chaos rolling fuzz bench bench-all bench-rebuild profile rebuilds lint fmt clean simulate

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## compile bin/indexer, stamped with version and commit
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/indexer ./cmd/indexer

docs: ## write docs/configuration.md, docs/dependencies.md and the chart's README and schema of settings
	go generate ./cmd/indexer
	go run ./scripts/dependencies >docs/dependencies.new && mv docs/dependencies.new docs/dependencies.md
	go run -C helm ./docs

up: ## start Kafka, OpenSearch and Redis on this machine (downloads once; see scripts/stack)
	@scripts/stack up

down: ## stop them; the data stays (scripts/stack down --purge removes it)
	@scripts/stack down

stack-status: ## show which of them run, and where
	@scripts/stack status

# The build and the slow start of the services go side by side.
demo: ## show in ten steps, in under a minute, what becomes of events (DEMO_FLAGS=-keep keeps it)
	@$(MAKE) --no-print-directory -s -j2 up build
	@go build -trimpath -o bin/demo ./test/demo
	@addresses=$$(scripts/stack env) && eval "$$addresses" && bin/demo $(DEMO_FLAGS)

test: up ## run every test on the real services, with the race detector
	@eval "$$(scripts/stack env)" && set -x && \
	go test -race -count 1 -p $(TEST_PACKAGES_AT_ONCE) -timeout $(TEST_TIMEOUT) ./... && \
	(cd test/observe && go test -count 1 -timeout $(TEST_TIMEOUT) ./...)
	@$(MAKE) --no-print-directory test-chart

test-chart: ## of these: the Helm chart rendered, decoded strictly, compared (UPDATE=1 writes the golden files)
	go test -C helm -count 1 $(if $(UPDATE),. -update,./...)

test-observe: up ## of these: the page in a browser, every query of dashboard and alerts, traces (PAGE_PICTURES=DIR keeps screenshots)
	@eval "$$(scripts/stack env)" && cd test/observe && go test -count 1 -v -timeout $(TEST_TIMEOUT) ./...

probes: up ## /livez of a worker with a long backlog, while OpenSearch is away and back (BACKLOG=1000000)
	@eval "$$(scripts/stack env)" && cd test/observe && PROBE_BACKLOG=$(or $(BACKLOG),1000000) \
	go test -run '^TestLivezWithABacklog$$' -count 1 -v -timeout 30m .

test-security: ## of these: the program against services with TLS, logins and rights (docs/security.md)
	go test -count 1 -timeout $(TEST_TIMEOUT) ./test/security

test-short: ## run the tests that need no services
	go test -race -short -timeout 5m ./...

chaos: ## publish under faults in an order drawn from a seed, and compare (SEED=, DURATION=10m)
	CHAOS_SEED=$(SEED) CHAOS_DURATION=$(or $(DURATION),10m) \
	go test -run '^TestChaos$$' -count 1 -v -timeout 12h ./test/chaos

rolling: up ## restart three workers in turn under load and print what it costs (ROUNDS=3 RATE=1000)
	@eval "$$(scripts/stack env)" && ROLLING_ROUNDS=$(or $(ROUNDS),3) ROLLING_RATE=$(or $(RATE),1000) \
	go test -run '^TestRollingRestart$$' -count 1 -v -timeout 1h ./test/e2e

# It keeps all records in memory: about 7 GB with the defaults.
rebuilds: up ## rebuild a large log under traffic, and compare (SEED=1 SEEDS_OF_REBUILD=5 RECORDS=1000000 ENTITIES=100000 RATE=1000)
	@eval "$$(scripts/stack env)" && E2E_RACE=off REBUILD_SEEDS=$(or $(SEEDS_OF_REBUILD),5) REBUILD_FIRST_SEED=$(or $(SEED),1) \
	REBUILD_RECORDS=$(or $(RECORDS),1000000) REBUILD_ENTITIES=$(or $(ENTITIES),100000) REBUILD_RATE=$(or $(RATE),1000) \
	go test -run '^TestRebuildUnderTraffic$$' -count 1 -v -timeout 3h ./test/e2e

outages: up ## stop Kafka, then OpenSearch, in each phase of a rebuild, and compare (ten minutes)
	@eval "$$(scripts/stack env)" && REBUILD_FAULTS=all \
	go test -run '^TestRebuildWhileAServiceIsAway$$' -count 1 -v -timeout 1h ./test/e2e

fuzz: ## run every fuzz target for FUZZ_TIME (10s) each
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 20x $$package; \
		done; \
	done

bench: build up ## the worker beside a plain _bulk, alone, its latency, into docs/performance.md; BENCH="-help"
	@eval "$$(scripts/stack env)" && go run ./test/bench -page docs/performance.md $(BENCH)

bench-all: build up ## the same with other refresh intervals, requests, workers, partitions and sizes
	@eval "$$(scripts/stack env)" && go run ./test/bench -page docs/performance.md -chapters rates,stub,latency,refresh,requests,scale $(BENCH)

profile: build up ## where a worker's CPU and allocations go when only it limits: bin/profile/*.txt and *.pb.gz
	@eval "$$(scripts/stack env)" && go run ./test/bench -chapters stub -rounds 1 -profile bin/profile $(BENCH)

bench-rebuild: build up ## what a rebuild costs beside reading the log, a plain _bulk, and the live path
	@eval "$$(scripts/stack env)" && go run ./test/bench -chapters rebuild -count 1000000 -budget 20m $(BENCH)

backpressure: build up ## more than OpenSearch takes: memory, books, documents; PRESSURE="-help" shows what can be set
	@eval "$$(scripts/stack env)" && go run ./test/pressure $(PRESSURE)

simulate: ## run the worker's decisions against SEEDS (100000) random worlds; see docs/simulation.md
	go test ./test/simulate -run TestSimulation -timeout 2h -v -seeds $(SEEDS)

image: ## build the image, stamped with version and commit (IMAGE=name IMAGE_BUILDER="podman build")
	$(IMAGE_BUILDER) --tag $(IMAGE):$(VERSION) --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) \
		--build-arg CREATED=$(shell git log -1 --format=%cI 2>/dev/null) .

image-check: up ## as root: build it without a container engine and run the worker out of it (CROSS=1)
	@eval "$$(scripts/stack env)" && scripts/image-check $(if $(CROSS),--cross)

compose-check: ## check compose.yaml and what it mounts, without a container engine
	go test -C test/compose -count 1 ./...

lint: ## check style, mistakes and the arrows of import; golangci-lint is pinned in tools/go.mod
	go tool -modfile=tools/go.mod golangci-lint run
	cd helm && go tool -modfile=../tools/go.mod golangci-lint run

fmt: ## format the code
	go tool -modfile=tools/go.mod golangci-lint fmt
	cd helm && go tool -modfile=../tools/go.mod golangci-lint fmt

clean: ## remove what build made
	rm -rf bin dist

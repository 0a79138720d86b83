# Every target is a few commands that can also be typed by hand. CI calls these targets and nothing else.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# How long each fuzz target runs.
FUZZ_TIME ?= 30s
# Which benchmarks run, and how: make bench BENCH=ParseState BENCH_FLAGS='-count 6'
BENCH ?= .
BENCH_FLAGS ?= -benchmem
# More flags for go test: make test TEST_FLAGS='-v -run Masks'
TEST_FLAGS ?=
# Where the images go.
IMAGES ?= build/images

# The race detector needs a C compiler.
RACE := $(shell [ "$$(env -u CGO_ENABLED go env CGO_ENABLED)" = 1 ] && command -v "$$(go env CC)" >/dev/null && echo -race)
WITH_RACE := $(if $(RACE),CGO_ENABLED=1 GOFLAGS='$(strip $(GOFLAGS) -trimpath -buildvcs=false)')
# All else is compiled as the packages of the images are, so that lint, demo, images and tests compile what they share once.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(GOFLAGS) $(shell sed -n '/^-/p' internal/ociimage/goflags.txt))
# It makes a program five to ten times slower, so it watches the packages whose own files start goroutines or share
# memory between them, and internal/git, whose tests drive those of the floors below it. In the others it finds nothing:
# their tests run several programs at once, which share no memory in production. "make storms" has it everywhere, every
# week. cachix-paths is out because it measures its own memory, of which the race detector takes a lot, pack because it
# hashes gigabytes and ociimage because it compresses programs; the tests of internal/git have pack's goroutines watched.
# pipelines is out because it only has a lock around ytt, in which the detector would spend its time. pipelines/taxiway is
# out because its tests play whole pipelines, of which internal/rehearsal has the goroutines.
CONCURRENT := ^[[:space:]]*go [a-zA-Z]|\.Go\(|sync\.(Mutex|RWMutex|Map|WaitGroup)|atomic\.
WATCHED = ./internal/git $(filter-out ./resources/cachix-paths ./internal/git/pack ./internal/ociimage ./pipelines ./pipelines/taxiway, $(shell grep -rlE --include='*.go' --exclude='*_test.go' '$(CONCURRENT)' . | xargs -n1 dirname | sort -u))
# A package that hangs is ended after this time, which is many times what a slow and busy machine needs.
TEST_TIMEOUT := 2h
# -vet=off: "make lint" does it, with more checks.
GO_TEST := go test -vet=off -shuffle=on -timeout $(TEST_TIMEOUT)
# The findings of another tree, or of another version, must not come back: the cache lies in this tree.
export GOLANGCI_LINT_CACHE ?= $(CURDIR)/build/golangci-lint
# The programs that "make judges" needs.
JUDGES ?= fly
# The programs that "make aborts" needs, and its tests.
ABORTED ?= helm3 helm4 terraform tofu
ABORT_TESTS := Abort|Release|Flights|Deployments|ClusterObjects|Dependencies
# Installed by hand or with "make tools".
GOLANGCI_LINT := $(shell command -v golangci-lint || echo "$$(go env GOPATH)/bin/golangci-lint")
GOLANGCI_LINT_VERSION := v2.12.2

.PHONY: help demo test storms judges aborts lint fmt fuzz bench images pipelines tools

help: ## say what the targets do (default)
	@echo 'usage: make TARGET'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-11s %s\n", $$1, $$2 }'
	@echo
	@echo '  FUZZ_TIME=$(FUZZ_TIME) IMAGES=$(IMAGES) BENCH=$(BENCH) BENCH_FLAGS=$(BENCH_FLAGS) TEST_FLAGS=$(TEST_FLAGS) can be changed, see Makefile'

demo: ## build everything and rehearse the pipelines end to end on this machine
	go run ./pipelines/taxiway demo --html demo.html

test: ## every test, in random order, with the race detector where goroutines share memory
	@tested='{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}'; \
	watched=$$(go list -f "$$tested" $(WATCHED)); \
	others=$$(go list -f "$$tested" ./... | grep -vxF "$$watched"); \
	status=0; \
	$(GO_TEST) $(TEST_FLAGS) $$others || status=1; \
	$(WITH_RACE) $(GO_TEST) $(RACE) $(TEST_FLAGS) $$watched || status=1; \
	exit $$status

storms: ## every test with all writers of the storms and the race detector everywhere (an hour)
	TAXIWAY_STORMS=1 $(WITH_RACE) $(GO_TEST) $(RACE) $(TEST_FLAGS) ./...

judges: ## the tests in which JUDGES have the last word; fails where one is not installed
	@for judge in $(JUDGES); do command -v "$$judge" || { echo "$$judge is not on PATH" >&2; exit 1; }; done
	$(GO_TEST) -count=1 $(TEST_FLAGS) ./pipelines/... ./internal/pipeline ./internal/vendored/... ./resources/vendir-bump/...

aborts: ## the task scripts with the real programs, each aborted at ten random moments; fails where one is not installed
	@for program in $(ABORTED); do command -v "$$program" || { echo "$$program is not on PATH" >&2; exit 1; }; done
	$(GO_TEST) -count=1 $(TEST_FLAGS) -run '$(ABORT_TESTS)' ./pipelines -aborts 10

lint: ## formatting, linters, builds for other systems, go.mod, shell scripts
	$(GOLANGCI_LINT) run ./...
	go test -vet=off -count=1 ./internal -run '^TestOtherSystems$$' -systems darwin,windows
	go mod tidy -diff
	go mod verify
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run $$(git ls-files '*.sh'); else echo 'shellcheck is not installed: the shell scripts are not checked'; fi

fmt: ## format the Go files
	$(GOLANGCI_LINT) fmt ./...

fuzz: ## every fuzz target, each for FUZZ_TIME
	@found=0; failed=; \
	for package in $$(go list ./...); do \
		targets=$$(go test -list '^Fuzz' "$$package" | sed -n '/^Fuzz/p'); \
		for target in $$targets; do \
			found=$$((found + 1)); \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1x "$$package" || failed="$$failed $$package:$$target"; \
		done; \
	done; \
	if [ "$$found" = 0 ]; then echo 'no fuzz targets found' >&2; exit 1; fi; \
	if [ -n "$$failed" ]; then printf 'failed: %s\n' $$failed >&2; exit 1; fi; \
	echo "$$found fuzz targets ran"

bench: ## the benchmarks
	go test -run '^$$' -bench '$(BENCH)' $(BENCH_FLAGS) ./...

images: ## build the OCI images into IMAGES
	go run ./images build --output $(IMAGES)

pipelines: ## the tests of templates, examples and rehearsal alone: a part of "make test"
	$(GO_TEST) $(TEST_FLAGS) ./pipelines/...

tools: ## install the linter, where it is missing
	@command -v $(GOLANGCI_LINT) >/dev/null || GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

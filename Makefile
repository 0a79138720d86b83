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
RACE := $(shell [ "$$(go env CGO_ENABLED)" = 1 ] && command -v "$$(go env CC)" >/dev/null && echo -race)
# Installed by hand or with "make tools".
GOLANGCI_LINT := $(shell command -v golangci-lint || echo "$$(go env GOPATH)/bin/golangci-lint")
GOLANGCI_LINT_VERSION := v2.12.2

.PHONY: help demo test lint fmt fuzz bench images pipelines tools

help: ## say what the targets do (default)
	@echo 'usage: make TARGET'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-11s %s\n", $$1, $$2 }'
	@echo
	@echo '  FUZZ_TIME=$(FUZZ_TIME) IMAGES=$(IMAGES) BENCH=$(BENCH) BENCH_FLAGS=$(BENCH_FLAGS) TEST_FLAGS=$(TEST_FLAGS) can be changed, see Makefile'

demo: ## build everything and rehearse the pipelines end to end on this machine
	go run ./pipelines demo --html demo.html

test: ## every test, in random order, with the race detector where there is a C compiler
	go test $(RACE) -shuffle=on -timeout 20m $(TEST_FLAGS) ./...

lint: ## formatting, linters, go.mod, shell scripts
	$(GOLANGCI_LINT) run ./...
	go mod tidy -diff
	go mod verify
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run $$(git ls-files '*.sh'); else echo 'shellcheck is not installed: the shell scripts are not checked'; fi

fmt: ## format the Go files
	$(GOLANGCI_LINT) fmt ./...

fuzz: ## every fuzz target, each for FUZZ_TIME
	@found=0; \
	for package in $$(go list ./...); do \
		targets=$$(go test -list '^Fuzz' "$$package" | sed -n '/^Fuzz/p'); \
		for target in $$targets; do \
			found=$$((found + 1)); \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1x "$$package"; \
		done; \
	done; \
	if [ "$$found" = 0 ]; then echo 'no fuzz targets found' >&2; exit 1; fi; \
	echo "$$found fuzz targets ran"

bench: ## the benchmarks
	go test -run '^$$' -bench '$(BENCH)' $(BENCH_FLAGS) ./...

images: ## build the OCI images into IMAGES
	go run ./images build --output $(IMAGES)

pipelines: ## lint the example pipelines and compare them with what the templates render
	go run ./pipelines lint pipelines/examples/*/*/want.yml
	go test -count=1 ./pipelines/...

tools: ## install the linter, where it is missing
	@command -v $(GOLANGCI_LINT) >/dev/null || go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

# axon's commands. "make" alone prints what there is; "make run" and "make test" build
# all they need. Settings, given as in "make run BACKEND=cuda":
#
#   BACKEND=cpu|cuda|metal|vulkan   what computes (default: metal on macOS, otherwise cpu)
#   NATIVE=0                        portable x86-64-v3 instead of this machine's CPU
#   RPC=1                           with llama.cpp's RPC client, for devices elsewhere
#   LLAMA_CPP_DIR=folder            somebody's own llama.cpp instead of the pinned one
#   AXON_CACHE=folder               where slow results are kept (default: ~/.cache/axon)
#   PREFIX=/usr/local DESTDIR=      where "make install" puts things
#   FUZZTIME=2000x                  how long "make fuzz" tries each target
#   OUT= OLD= NEW=                  files of "make bench-save" and "make bench-check"
#   BENCH=. BENCHTIME=50ms          which benchmarks "make bench-save" runs, each how long, six times

BACKEND ?= $(if $(filter Darwin,$(shell uname -s)),metal,cpu)
NATIVE ?= 1
RPC ?= 0
PREFIX ?= /usr/local
FUZZTIME ?= 2000x
export BACKEND NATIVE RPC LLAMA_CPP_DIR AXON_CACHE FUZZTIME

LLAMA := third_party/llama.cpp
GOLANGCI_LINT := 2.15.0
BENCHSTAT := v0.0.0-20260908200009-22c9c6c9d4da
BENCH ?= .
BENCHTIME ?= 50ms

# built reads a line of the finished llama.cpp's description; it is expanded in recipes,
# that is, after the build.
built = $(shell sed -n 's/^$(1)=//p' $(LLAMA)/dist/build-info)

# Go does not look into the archives behind -l: the key among the flags makes it compile
# and link again when another build of llama.cpp is linked into this clone.
CGO_ENV = CGO_CFLAGS='-O2 -DAXON_LLAMA_KEY="$(call built,key)" $(CGO_CFLAGS)' \
	CGO_CXXFLAGS='-O2 -DAXON_LLAMA_KEY="$(call built,key)" $(CGO_CXXFLAGS)' \
	CGO_LDFLAGS='$(LDFLAGS_$(BACKEND)) $(CGO_LDFLAGS)' \
	GOFLAGS='$(strip $(GOFLAGS) -trimpath $(TAGS))'

# go runs the go command in that environment, and shows the command without it.
go = @echo "go $(1)"; env $(CGO_ENV) go $(1)
# script does the same for one of our scripts.
script = @echo "scripts/$(1)"; env $(CGO_ENV) scripts/$(1)

CUDA_HOME ?= /usr/local/cuda
LDFLAGS_cuda := -L$(CUDA_HOME)/lib64 -L$(CUDA_HOME)/lib64/stubs

comma := ,
empty :=
tags := $(filter-out cpu,$(BACKEND)) $(if $(filter 1,$(RPC)),rpc)
TAGS := $(addprefix -tags=,$(subst $(empty) $(empty),$(comma),$(strip $(tags))))

INFO := axon/internal/buildinfo
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS = -s -w -X $(INFO).Version=$(VERSION) -X $(INFO).Llama=$(call built,version) \
	-X $(INFO).Ggml=$(call built,ggml) -X $(INFO).Backend=$(BACKEND) -X $(INFO).Key=$(call built,key)

# What "make run" continues: the built-in model has read Go's documentation.
PROMPT ?= If the file does not exist,

.PHONY: help
help: ## Show this help
	@echo "usage: make <target> [SETTING=value …]; the settings stand at the top of the Makefile"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build all that is needed and generate text with the built-in model
	bin/axon generate --echo --n-predict 64 --temp 0.7 --repeat-penalty 1.15 --seed 3 "$(PROMPT)"

.PHONY: build
build: llama ## Build bin/axon, one self-contained binary
	@mkdir -p bin
	@echo "go build -o bin/axon ./cmd/axon"
	@env $(CGO_ENV) go build -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/axon ./cmd/axon
	@ln -sfn ../$(LLAMA)/dist/models bin/vocab

.PHONY: test
test: llama ## Build all that is needed, vet, and run all tests
	$(call go,vet ./...)
	$(call go,test ./...)

.PHONY: race
race: llama ## Run all tests under the race detector
	$(call go,test -race -short -timeout 30m ./...)

.PHONY: cgocheck
cgocheck: llama ## Run the tests around C with pointer checks and a garbage collector that never rests
	$(call go,test -count=1 -timeout 30m -exec 'env GODEBUG=cgocheck=1 GOGC=1' ./cgo/... ./engine/...)

.PHONY: portable
portable: ## Test the kernels without assembly, and compile them for other processors
	@scripts/portable.sh

.PHONY: interop
interop: llama ## Call a server with clients of other people's making, fetched by npm and go
	@env $(CGO_ENV) AXON_INTEROP=1 go test -count=1 ./internal/interop

.PHONY: browser
browser: ## Open the validator's report in headless Chromium
	@chromium=$$(scripts/browser.sh) && AXON_BROWSER=$$chromium go test -count=1 ./internal/browser

# One arena: how many threads happen to allocate must not look like growth.
.PHONY: soak
soak: llama ## Open and close 1,000 times, send 10,000 requests, print how memory goes
	@env $(CGO_ENV) AXON_SOAK=1 MALLOC_ARENA_MAX=1 go test -count=1 -timeout 60m -run TestSoak -v ./engine

.PHONY: parity
parity: llama peers ## Compare generation, scores and tokens with llama.cpp's own programs
	$(call go,test -count=1 -v ./internal/parity)

.PHONY: models-table
models-table: build ## Score the model family on the held-out text and print the table
	@scripts/models-table.sh

.PHONY: fuzz
fuzz: llama ## Try each fuzz target FUZZTIME times
	$(call script,fuzz.sh)

.PHONY: lint
lint: llama ## Run golangci-lint as .golangci.yml says, and shellcheck where there is one
	$(call script,lint.sh $(GOLANGCI_LINT))

.PHONY: generate-check
generate-check: llama ## Check that formatted, generated and required files are up to date
	$(call script,generate-check.sh)

.PHONY: notices
notices: llama ## Collect the licences of everything that is linked into THIRD_PARTY_NOTICES.md
	@env $(CGO_ENV) scripts/notices.sh >THIRD_PARTY_NOTICES.new
	@mv THIRD_PARTY_NOTICES.new THIRD_PARTY_NOTICES.md

.PHONY: peers
peers: tools ## Build llama.cpp's own programs from the same source into bin/peers
	$(LLAMA)/build.sh peers

.PHONY: bench
bench: build peers ## Compare the engine's speed with llama-bench, side by side
	bin/axon bench engine --peer auto

# One thread, as axon bench kernels; the packages need no llama.cpp.
.PHONY: bench-save
bench-save: ## Run the benchmarks of kernels and their packing six times and save them to OUT
	@scripts/bench-save.sh '$(OUT)' '$(BENCH)' '$(BENCHTIME)'

.PHONY: bench-check
bench-check: ## Compare two saved runs, OLD and NEW, with benchstat
	@scripts/bench-check.sh '$(BENCHSTAT)' '$(OLD)' '$(NEW)'

.PHONY: llama
llama: tools
	@$(LLAMA)/build.sh

.PHONY: tools
tools: ## Check that the tools a build needs are here; install cmake and ninja if allowed
	@scripts/tools.sh

.PHONY: install
install: build ## Install axon, its vocabularies and the notices under PREFIX
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/lib/axon/vocab'
	install bin/axon '$(DESTDIR)$(PREFIX)/lib/axon/axon'
	install -m 644 bin/vocab/*.gguf '$(DESTDIR)$(PREFIX)/lib/axon/vocab/'
	install -m 644 LICENSE THIRD_PARTY_NOTICES.md '$(DESTDIR)$(PREFIX)/lib/axon/'
	ln -sf ../lib/axon/axon '$(DESTDIR)$(PREFIX)/bin/axon'

.PHONY: clean
clean: ## Remove what was built in this clone; the cache stays
	rm -rf bin $(LLAMA)/dist

.PHONY: distclean
distclean: clean ## Also remove the cache that all clones on this machine share
	rm -rf "$${AXON_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/axon}"

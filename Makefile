# make run      the whole platform on this machine, with this machine as its first device
# make test     everything: unit, store conformance, house rules, stories from end to end; with -race where there is a C compiler
# make console  the console's pages, from functions/console/ui; needs Node.js >= 20, without which everything else is as it is
# make build    bin/castor, bin/castor-connector and bin/castor-agent
# make check-console  types, style and unit tests of the console's source
# make test-browser   the console as a person uses it, in Chromium, on a platform of its own; needs Node.js >= 20
# make screenshots    pictures of every view in docs/screenshots
# make images   the container images: functions, castor, castor-connector (CASTOR_REGISTRY=…, CASTOR_VERSION=…, PUSH=1, PLATFORMS=…)
# make bench    figures with their floors (ONLY=ingest,store …), kept in bench/; make bench-compare puts the last two side by side
# make lint     gofmt, go vet, staticcheck
# make new NAME=x   a new function x in all its places
# make proto    the Go code of the device contract over gRPC, from shared/api/devicepb/device.proto; needs protoc

GO ?= go
ARGS ?=
ONLY ?=
RACE := $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

UI := functions/console/ui
PAGES := functions/console/dist/ui/index.html
NODE := $(shell node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null && command -v npm >/dev/null && echo yes)

.PHONY: run build console check-console test test-browser screenshots images bench bench-compare lint new proto clean

run: build
	./bin/castor up $(ARGS)

build: console
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./infra/castor ./connectors/castor-connector ./agent/cmd/castor-agent

# Go embeds what is built here; a clone without it has the placeholder beside it.
ifeq ($(NODE),yes)
console:
	@$(MAKE) --no-print-directory $(PAGES) || echo "npm could not build the console (the reason is above): it is left out, and its address will say so."
else
console:
	@echo "No Node.js >= 20 with npm here: the console is left out; its address will say so."
endif

$(PAGES): $(UI)/node_modules/.package-lock.json functions/openapi.yaml infra/castor/up/host.json $(wildcard $(shell git ls-files $(UI) 2>/dev/null))
	@echo "Building the console's pages…"
	@cd $(UI) && npm run --silent build

$(UI)/node_modules/.package-lock.json: $(UI)/package.json $(UI)/package-lock.json
	@echo "Fetching what the console is built with…"
	@cd $(UI) && npm ci --no-audit --no-fund --loglevel error
	@touch $@

test:
	@[ -n "$(RACE)" ] || echo "No C compiler here: the tests run without the race detector."
	@# Names the MongoDB that the store's tests run on, or says that there is none: go test shows no output of packages that pass.
	$(GO) test -count=1 -v -run TestServer ./tests/mongo
	$(GO) test $(RACE) -timeout 20m ./...

BROWSER := tests/browser

# Types, style and unit tests of the console's source.
check-console: $(UI)/node_modules/.package-lock.json
	cd $(UI) && npm run --silent check

test-browser: build $(BROWSER)/node_modules/.package-lock.json
	cd $(BROWSER) && npm run --silent check && npm test --silent

screenshots: build $(BROWSER)/node_modules/.package-lock.json
	cd $(BROWSER) && npm run --silent screenshots

$(BROWSER)/node_modules/.package-lock.json: $(BROWSER)/package.json $(BROWSER)/package-lock.json
	@[ "$(NODE)" = yes ] || { echo "This needs Node.js >= 20 with npm: install it and repeat."; exit 1; }
	cd $(BROWSER) && npm ci --no-audit --no-fund
	@touch $@

images:
	@./infra/images/build.sh

bench:
	$(GO) run ./tests/load -only '$(ONLY)' $(ARGS)

bench-compare:
	@$(GO) run ./tests/load -compare

lint:
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not formatted (run gofmt -w):"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

new:
	@[ -n "$(NAME)" ] || { echo "usage: make new NAME=my-function"; exit 1; }
	$(GO) run ./tests/house/newfunction $(NAME)

proto:
	@command -v protoc >/dev/null || { echo "This needs protoc (Debian: apt install protobuf-compiler)."; exit 1; }
	./shared/api/devicepb/generate.sh

clean:
	rm -rf bin functions/console/dist/ui

# Everything that a developer does here. Go and make are enough for demo, test and lint; with redis-server on the
# machine the tests also run against real servers. Docker, npm and promtool are needed where a target says so.

GO       ?= go
FUZZTIME ?= 30s
FUZZJOBS ?= 4
RUNS     ?= 100000
SEED     ?= 1
RECORD   ?=
PARKED   ?= 50000
PENDING  ?= 100000
KEPT     ?= 1000000
ORDERS   ?= 5400
DURATION ?= 60s
PAYMENTS ?= 10000
ROUNDS   ?= 5
STORE    ?= /tmp

# Packages of which 90 % of the statements must be run. All tests count for those of WAITING. Counting makes the race detector
# slow where code computes: for those of READING, the tests of WHOLE count, which also run without the race detector.
WAITING  := payonce/pkg/payment,payonce/pkg/events,payonce/pkg/events/jetstream/...,payonce/pkg/idempotency/...,payonce/pkg/connectors/httpcall,payonce/pkg/config
READING  := payonce/pkg/connectors,payonce/pkg/connectors/...
COVERED  := $(WAITING),$(READING)

# Packages whose long tests of one goroutine do all their cases only without the race detector, see test/race. Those of PAGES
# only read the repository's files.
PAGES    := ./test/archtest ./test/docstest
WHOLE    := ./pkg/connectors/... ./pkg/events ./pkg/worker ./test/contracts

# Begun first, so that none of them is alone at the end.
LONGEST  := ./test/faults ./test/deploytest ./internal/console ./internal/payctl ./pkg/archive ./test/campaign

# The race detector needs a C compiler. Where there is none, tests run without it and say so.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null && echo -race)

# SQLite is C that was translated to Go. Its memory is not Go's, and the race detector ignores each of its reads and writes, one by
# one. The driver, modernc.org/sqlite, is watched.
UNWATCHED := $(if $(RACE),$(foreach package,modernc.org/sqlite/lib modernc.org/libc modernc.org/memory,-gcflags=$(package)=-race=false))

.DEFAULT_GOAL := help
.PHONY: help demo run campaign test lint fuzz update simulate weekend scale cover bench bench-sweep bench-growth archive-bench microbench load openapi contracts alerts costs kubernetes build release connector compose-images compose-pin pin-images compose-test clean

# Prints how much of each package was run. A block that several test programs ran counts once. Suites (storetest,
# connectortest) are run by the packages that they test.
define COVERAGE
NR > 1 { size[$$1] = $$2; if ($$3) run[$$1] = 1 }
END {
	for (block in size) {
		name = block; sub("/[^/]*$$", "", name)
		all[name] += size[block]; if (block in run) part[name] += size[block]
	}
	for (name in all) {
		share = all[name] ? 100 * part[name] / all[name] : 100
		mark = name ~ /test$$/ ? "" : share < 90 ? "LOW" : ">=90"
		printf "%6.1f%%  %-5s %s\n", share, mark, name | "sort -k 3"
		if (mark == "LOW") low = low " " name
	}
	close("sort -k 3")
	n = split(covered, names, ",")
	for (i = 1; i <= n; i++) if (names[i] !~ /[.][.][.]$$/ && !(names[i] in all)) low = low " " names[i] " (not tested)"
	if (low) { print "less than 90 % of the statements were run in" low; exit 1 }
}
endef
export COVERAGE

help: ## show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## play a whole scenario of payments on this machine, then stop
	@echo "building…" && $(GO) build -o bin/demo ./cmd/demo
	@bin/demo

run: ## start the same system and keep it up until Ctrl-C; STATE=dir keeps its payments for the next run, LISTEN (127.0.0.1:8080) is the ingress
	@echo "building…" && $(GO) build -o bin/demo ./cmd/demo
	@bin/demo --keep $(if $(STATE),--state "$(STATE)") $(if $(LISTEN),--listen "$(LISTEN)")

campaign: ## break everything under load, then audit: SEED (1), ORDERS (5400), DURATION (60s), see docs/reliability.md
	$(GO) run ./cmd/campaign --seed $(SEED) --orders $(ORDERS) --duration $(DURATION)

test: ## run all tests with the race detector, the long ones also without, and check the coverage (REQUIRE_SERVICES=1: real servers must be there)
	@command -v redis-server >/dev/null || [ "$$REQUIRE_SERVICES" = 1 ] || \
		echo "note: redis-server is not installed; tests on real Redis servers are left out (apt-get install redis-server)"
	@[ -n "$(RACE)" ] || echo "note: no C compiler is installed; tests run without the race detector (apt-get install gcc libc6-dev)"
	$(GO) test -vet=off -p 4 -parallel 4 -count=1 -timeout 45m -covermode=set -coverpkg=$(READING) -coverprofile=coverage.whole.out $(WHOLE) $(PAGES)
	$(GO) test $(RACE) $(UNWATCHED) -vet=off -p 4 -parallel 4 -count=1 -timeout 45m -covermode=atomic -coverpkg=$(WAITING) -coverprofile=coverage.out \
		$(LONGEST) $$($(GO) list ./... | grep -v $(PAGES:./%=-e /%))
	@tail -n +2 coverage.whole.out >>coverage.out && rm coverage.whole.out
	@awk -v covered="$(COVERED)" "$$COVERAGE" coverage.out
	@command -v redis-server >/dev/null || echo "note: tests on real Redis servers were left out"
	@command -v npm >/dev/null && [ "$$WITHOUT_NODE" != 1 ] || echo "note: the test of the example in JavaScript was left out"
	@[ -n "$(RACE)" ] || echo "note: the race detector was left out"

lint: ## check formatting, go vet and staticcheck
	@unformatted=$$(gofmt -l cmd examples internal pkg test); \
		[ -z "$$unformatted" ] || { echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags measure ./test/faults
	$(GO) tool staticcheck ./...

fuzz: ## run every fuzz target for FUZZTIME (30s; 10m for a long run), FUZZJOBS (4) of them side by side, and count the inputs
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && export dir && \
	grep -roE --include='*_test.go' '^func Fuzz[A-Z]\w*' cmd pkg internal | sed 's#/[^/]*:func # #' | sort -u >"$$dir/targets" && \
	cut -d ' ' -f 1 "$$dir/targets" | sort -u | while read -r folder; do \
		$(GO) test -c -fuzz Fuzz -o "$$dir/$$folder/" "./$$folder" || exit 1; \
	done && xargs -L 1 -P $(FUZZJOBS) sh -c "$$FUZZ" fuzz <"$$dir/targets"; \
	failed=$$?; awk '{ all += $$1 } END { print all " executions of " NR " targets" }' "$$dir/passed"; exit $$failed

# Runs the target $$2 of the folder $$1 with one worker. Go says now and then that a target failed where its time ended in
# the middle of an input: that alone, without an input that it kept, is no finding.
define FUZZ
log=$$dir/$$2.log
(cd "$$1" && "$$dir/$$1"/*.test -test.run='^$$' -test.fuzz="^$$2$$" -test.fuzztime=$(FUZZTIME) -test.fuzzminimizetime=10x \
	-test.parallel=1 -test.fuzzcachedir="$$dir/cache") >"$$log" 2>&1 ||
	{ ! grep -qi 'failing input' "$$log" && tail -n 3 "$$log" | tr '\n' ' ' |
		grep -qE '^--- FAIL: Fuzz\w+ \([0-9.]+s\) +context deadline exceeded FAIL $$'; } ||
	{ cat "$$log"; echo "repeat it: cd $$1 && go test -run '^$$2$$' . (the input is kept in testdata/fuzz/$$2)"; exit 1; }
printf '%-14s %-28s %s\n' "$$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$$log" | tail -n 1 | grep . || echo 0)" "$$2" "$$1" | tee -a "$$dir/passed"
endef
export FUZZ

simulate: ## play RUNS (100000) seeds from SEED (1, or the first that RECORD has not) in the simulation, and all mistakes; RECORD (none) gets a line every minute, see docs/reliability.md
	$(GO) test ./test/simulation -count=1 -timeout 24h -run 'Simulation$$|OracleFindsMistakes$$' -v $(if $(filter file,$(origin SEED)),,-seed $(SEED)) -runs $(RUNS) -record '$(abspath $(RECORD))'

weekend: ## measure what PARKED (50000) parked payouts do to other providers, see docs/reliability.md
	$(GO) test ./test/faults -count=1 -timeout 1h -run MeasureWeekend -v -measure $(PARKED)

scale: ## start beside 100,000 payments, resume 50,000, come back to 2,000, see docs/performance.md: SCALEFLAGS="-run MeasureStart -again"
	$(GO) test -tags measure ./test/faults -count=1 -timeout 1h -v -run 'TestMeasure(Start|Resume|Return)' $(SCALEFLAGS)

update: ## write golden files and generated documents again
	@for dir in $$(grep -rl --include='*_test.go' 'flag.Bool("update"' pkg cmd internal test | xargs -n1 dirname | sort -u); do \
		$(GO) test -count=1 "./$$dir" -update || exit 1; \
	done

cover: ## open the lines that the last make test ran in a browser
	$(GO) tool cover -html=coverage.out

bench: ## measure beside a bare loop, Watermill and asynq, write docs/performance.md: PAYMENTS (10000), ROUNDS (5), STORE (/tmp)
	$(GO) run ./test/bench --payments $(PAYMENTS) --rounds $(ROUNDS) --store $(STORE) --write docs/performance.md $(BENCHFLAGS)

bench-sweep: ## find the best options of the programs that bench measures beside payonce: ROUNDS, PAYMENTS, STORE
	$(GO) run ./test/bench --sweep --programs bare,watermill,asynq --payments $(PAYMENTS) --rounds $(ROUNDS) --store $(STORE) --best test/bench/best.json --write docs/performance.md $(BENCHFLAGS)

bench-growth: ## measure payonce with KEPT (1000000) settled, PARKED (50000) and PENDING (100000) payments before, see docs/performance.md: ROUNDS, PAYMENTS, STORE
	$(GO) run ./test/bench --growth --kept $(KEPT) --parked $(PARKED) --pending $(PENDING) --due $(PENDING) --programs bare,payonce --loads 100,500 \
		--payments $(PAYMENTS) --rounds $(ROUNDS) --store $(STORE) --write docs/performance.md $(BENCHFLAGS)

archive-bench: ## measure the archive's lag at 1,000 payments/s and what it costs workers, see docs/archive.md: PAYMENTS (10000), ARCHIVEFLAGS
	$(GO) test ./test/bench -count=1 -timeout 1h -run MeasureArchive -v -archive-payments $(PAYMENTS) $(ARCHIVEFLAGS)

microbench: ## run the benchmarks of single functions
	$(GO) test -run '^$$' -bench . -benchmem ./...

load: ## send 2,000 webhooks a second for 30 s and count them, freeze the broker, flood one key, see docs/ingress.md
	$(GO) run ./test/load $(LOADFLAGS)

SCHEMAS := test/contracts/_schemas
$(SCHEMAS)/node_modules/.package-lock.json: $(SCHEMAS)/package-lock.json
	npm ci --prefix $(SCHEMAS) --ignore-scripts --no-audit --no-fund
	@touch $@

contracts: openapi $(SCHEMAS)/node_modules/.package-lock.json ## what openapi does, and validate the AsyncAPI document with AsyncAPI's own schema (needs npm)
	$(GO) test ./test/contracts -count=1 -run AsyncAPIIsValid

RELEASED := test/contracts/_released
OASDIFF  := $(GO) tool -modfile=$(RELEASED)/go.mod oasdiff

openapi: ## validate the OpenAPI document, and compare it and the schemas of messages with all that was released
	$(OASDIFF) validate --fail-on INFO docs/contracts/openapi.yaml
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && for release in docs/contracts/released/*; do \
		old=$$dir/$${release##*/} && mkdir -p "$$old/docs/contracts" "$$old/pkg/events/schemas" "$$old/$(RELEASED)" && \
		cp "$$release"/*.yaml "$$old/docs/contracts" && cp "$$release"/*.json "$$old/pkg/events/schemas" && \
		cp $(RELEASED)/schemas.yaml "$$old/$(RELEASED)" && for file in docs/contracts/openapi.yaml $(RELEASED)/schemas.yaml; do \
			$(OASDIFF) breaking --severity-levels $(RELEASED)/levels.txt --fail-on WARN "$$old/$$file" "$$file" || exit 1; \
		done || exit 1; \
	done

alerts: ## check the alerts and play their tests (needs promtool and amtool: apt-get install prometheus prometheus-alertmanager)
	promtool check rules deploy/observability/payonce.rules.yaml
	promtool test rules deploy/observability/payonce.rules_test.yaml
	@cd deploy/observability && promtool check config prometheus.yml
	amtool check-config deploy/observability/alertmanager.example.yml

costs: ## hold what reading the bytes of outsiders may allocate, without the race detector, and print what took most time
	@out=$$($(GO) test -vet=off -count=1 -run 'Cost|Lines|Lists|WorkOf' -bench '^Benchmark(Webhook|Answer|Decode.*|File)$$' -benchtime 20ms \
		./pkg/boundedjson ./pkg/connectors/... ./pkg/events ./internal/payctl) || { echo "$$out"; exit 1; }; \
		echo "ns of processor a byte, the most expensive first (150 are allowed until a signature is verified):" && echo "$$out" | \
		awk '/^pkg:/ { pkg = $$2 } / ns\/byte/ { for (i = 1; i <= NF; i++) if ($$i == "ns/byte") print $$(i-1), pkg, $$1 }' | grep -v /nothing | sort -rn | head -20

kubernetes: ## build deploy/kubernetes with kustomize and check it against the schemas of Kubernetes, KEDA and NACK
	$(GO) vet -C test/kubernetes .
	$(GO) test -C test/kubernetes -count=1 .

build: ## build all programs into bin/
	$(GO) build -trimpath -ldflags '$(STAMP)' -o bin/ ./cmd/...

# Programs of a release, and the version of the program that lists their modules.
PROGRAMS := worker ingress archive notifier console payctl
ARCHES   ?= amd64 arm64
DIST     ?= dist
SBOM     := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
IMAGE    ?= payonce:$(VERSION)
VERSION  ?= $(shell git describe --tags --always --dirty)
COMMIT   ?= $(shell git rev-parse HEAD)
DATE     ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)
STAMP     = -X payonce/internal/app.release=$(VERSION) -X payonce/internal/app.commit=$(COMMIT) -X payonce/internal/app.date=$(DATE)

release: ## build the release into dist/: archives for linux/amd64 and arm64 with their SBOMs, checksums, the image (IMAGE=none: without it)
	rm -rf $(DIST)/payonce-* $(DIST)/SHA256SUMS
	@for arch in $(ARCHES); do \
		dir=$(DIST)/payonce-$(VERSION)-linux-$$arch && mkdir -p "$$dir/sbom" && echo "building $$dir" && \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags '-s -w $(STAMP)' -o "$$dir/" $(PROGRAMS:%=./cmd/%) && \
		for program in $(PROGRAMS); do \
			GOFLAGS=-buildvcs=false $(GO) run $(SBOM) bin -json -std -noserial -notimestamp -version $(VERSION) -output "$$dir/sbom/$$program.cdx.json" "$$dir/$$program" 2>/dev/null && \
			[ -s "$$dir/sbom/$$program.cdx.json" ] || { echo "no SBOM of $$program" >&2; exit 1; }; \
		done && cp -r LICENSE README.md SECURITY.md UPGRADING.md CHANGELOG.md payonce.example.yaml deploy docs "$$dir/" && \
		tar -C $(DIST) --sort=name --mode='u=rwX,go=rX' --owner=0 --group=0 --numeric-owner --mtime='$(DATE)' -cf - "$${dir#$(DIST)/}" | gzip -n >"$$dir.tar.gz" && rm -r "$$dir" || exit 1; \
	done
	@cd $(DIST) && sha256sum payonce-*.tar.gz >SHA256SUMS && sha256sum -c --quiet SHA256SUMS && cat SHA256SUMS
	@[ "$(IMAGE)" = none ] || docker build --target payonce -t $(IMAGE) --build-arg "STAMP=$(STAMP)" .

connector: ## lay out the folder of a new provider: make connector NAME=acme (see docs/connectors.md)
	@$(GO) run ./internal/newconnector -name "$(NAME)"

compose-images: ## print the base images of the containers
	@{ sed -n 's/^ARG [A-Z_]*=\(.*:.*\)/\1/p' Dockerfile | grep -v //; sed -n 's/^ *image: *//p' docker-compose.yml | grep -v :local; } | sort -u

compose-pin: pin-images ## the former name of pin-images

pin-images: ## ask registries for the digests of these images, write docker-compose.pinned.yml (needs Docker with buildx)
	@digests=$$($(MAKE) -s compose-images | while read -r image; do \
		digest=$$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$$image") && \
		echo "$$digest" | grep -qE '^sha256:[0-9a-f]{64}$$' || { echo "no digest of $$image: $$digest" >&2; exit 1; }; \
		echo "$$image $$image@$$digest"; \
	done) && pinned=$$({ echo "$$digests"; sed -n 's/^ARG \([A-Z_]*\)=\(.*:.*\)/ARG \1 \2/p' Dockerfile; cat docker-compose.yml; } | awk "$$PINNED") && \
		echo "$$pinned" >docker-compose.pinned.yml

# Reads the digests, the images that ours are built from, and docker-compose.yml, where a service has what its anchor has.
define PINNED
$$2 ~ /@sha256:/ { pinned[$$1] = $$2; next }
$$1 == "ARG" { if ($$3 in pinned) args = args "        " $$2 ": " pinned[$$3] "\n"; next }
/^x-/ { block = "*" substr($$2, 2) }
/^[a-z]/ { services = /^services:/ }
services && /^  [a-z0-9-]+:$$/ { block = $$1; names[++n] = block }
$$1 == "<<:" { parent[block] = $$2 }
$$1 == "image:" { image[block] = $$2 }
$$1 == "build:" { built[block] = 1 }
END {
	print "# Written by make pin-images: what the images were at that time.\nservices:"
	for (i = 1; i <= n; i++) {
		for (block = names[i]; !(block in image) && block in parent; block = parent[block]);
		if (!(block in built) && !(image[block] in pinned)) { print "no image of " names[i] >"/dev/stderr"; exit 1 }
		print "  " names[i] "\n" (block in built ? "    build:\n      args:\n" args : "    image: " pinned[image[block]] "\n")
	}
}
endef
export PINNED

compose-test: ## build and start docker-compose.yml, pay in every way through it, kill a worker, look everywhere, kill all: COMPOSEFLAGS="-ha -observability", BEFORE=a command to run first
	$(BEFORE)
	$(GO) run ./test/composetest $(COMPOSEFLAGS)

clean: ## remove what the other targets made
	rm -rf bin $(DIST) coverage*.out

# What people type. `make check` is the whole check; the continuous integration
# runs the same targets.

GO          ?= go
BUILD       := .build
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 20s
RECORDS     ?= 205000
MEMORY      ?= 50000000
OUTPUT      ?= 10000000
QUESTIONS   ?= 5000000
CHAOS       ?= 100000

.PHONY: build test check race bench microbench fuzz golden truth crash kill kill-long chaos chaos-long memory output-memory questions hunts timeline-memory lint demo interop interop-spark clean

## build: the programs, into .build
build:
	$(GO) build -trimpath -o $(BUILD)/ ./cmd/mdcalake ./cmd/mdcasim ./cmd/mdcabench

## test: the suite
test:
	$(GO) test ./...

## race: the suite under the race detector
race:
	$(GO) test -race -timeout 40m ./...

## lint: format, vet and staticcheck
lint:
	@unformatted=$$(gofmt -l cmd ingest query store); test -z "$$unformatted" || { echo "not formatted with gofmt:" $$unformatted; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

## truth: what the lake holds against what the simulator sent, RECORDS records (a few of them not saved yet)
truth:
	$(GO) test ./cmd/mdcalake -run TestTheLakeHoldsTheTruth -timeout 30m -v -truth.records=$(RECORDS)

## crash: stop, fail and lose power at every file operation, not at a sample
crash:
	cd store && CRASH=all $(GO) test -run 'TestWherever|TestWhenever|TestADiskThatFails|TestFailingRuns|Checkpoint' -timeout 40m

## kill: the program killed, stopped and copied at random points, 20 rounds
kill:
	$(GO) test ./cmd/mdcalake -run TestKilledAtAnyPoint -timeout 30m -v -kill.rounds=20

## kill-long: 200 rounds; the result is kept
kill-long:
	mkdir -p testdata/results
	$(GO) test ./cmd/mdcalake -run TestKilledAtAnyPoint -timeout 2h -v -kill.rounds=200 -kill.result=$(CURDIR)/testdata/results/kill.md

## chaos: a month of a tenant in all kinds of trouble, followed by a program that is killed now and then; CHAOS records
chaos:
	$(GO) test ./cmd/mdcalake -run TestChaos -timeout 40m -v -chaos.records=$(CHAOS)

## chaos-long: the same with a million; the result is kept
chaos-long:
	mkdir -p testdata/results
	$(GO) test ./cmd/mdcalake -run TestChaos -timeout 6h -v -chaos.records=1000000 -chaos.result=$(CURDIR)/testdata/results/chaos.md

## memory: beside a lake of 50 million records; hours. MEMORY=5000000 is a tenth of it; the result is kept
memory:
	mkdir -p testdata/results
	$(GO) test ./cmd/mdcalake -run TestMemoryDoesNotGrowWithTheLake -timeout 12h -v -memory.records=$(MEMORY) -memory.result=$(CURDIR)/testdata/results/memory.md

## output-memory: OUTPUT rows (10 million) in every format within 256 MiB; the result is kept
output-memory:
	mkdir -p testdata/results
	$(GO) test ./cmd/mdcalake -run TestOutputTakesLittleMemory -timeout 6h -v -output.rows=$(OUTPUT) -output.result=$(CURDIR)/testdata/results/output-memory.md

## questions: twelve questions to a year of 20 services, QUESTIONS records (5 million), beside DuckDB over the same files; the result is kept
questions:
	mkdir -p testdata/results
	$(GO) test ./cmd/mdcalake -run TestQuestionsHaveDuckDBsAnswers -timeout 6h -v -questions.records=$(QUESTIONS) -questions.days=365 -questions.services=20 -questions.result=$(CURDIR)/testdata/results/questions.md

## hunts: recall and precision of each hunt over five tuning seeds and five test seeds; the result is kept
hunts:
	mkdir -p testdata/results
	$(GO) test ./cmd/mdcalake/huntcases -run TestHuntsFindTheStories -timeout 2h -v -hunts.seeds=5 -hunts.records=100000 -hunts.result=$(CURDIR)/testdata/results/hunts.md

## timeline-memory: the story of a user with a million events within 1 GiB
timeline-memory:
	$(GO) test ./cmd/mdcalake -run TestALongStoryTakesLittleMemory -timeout 2h -v -timeline.events=1000000

## check: everything that must hold
check: lint race crash truth kill chaos

## fuzz: each fuzzer for FUZZTIME
fuzz:
	@set -e; for package in $$($(GO) list ./...); do \
	  for fuzzer in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$fuzzer"; \
	    $(GO) test $$package -run '^$$' -fuzz "^$$fuzzer\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x; \
	  done; \
	done

## bench: beside DuckDB alone, zstd, and what Python has, if a registry answers; some three hours; the result is kept.
## One part at any size: .build/mdcabench start; see .build/mdcabench --help
bench: build
	$(BUILD)/mdcabench all

## microbench: the benchmarks of the hot paths
microbench:
	$(GO) test ./... -run '^$$' -bench . -benchmem

## golden: write the expected outputs of the tests anew; look at the difference
golden:
	UPDATE_GOLDEN=1 $(GO) test ./...

## interop: other readers and the notebooks against query (needs Python; installs into .build/venv)
interop: build
	testdata/interop/run $(BUILD)

## interop-spark: Spark with Delta against query (needs Java 17, Maven, Python); the result is kept
interop-spark: build
	mkdir -p testdata/results
	testdata/interop/run-spark $(BUILD) $(CURDIR)/testdata/results/spark.md

## demo: the main job on the simulator, answers on screen
demo: build
	testdata/demo/run $(BUILD)

clean:
	rm -rf $(BUILD) .demo

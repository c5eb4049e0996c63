# The verbs of daily work. CI runs .ci/run, which does all of it and more.

.PHONY: check test race sim mutations bench stages

# What a commit must pass before it is pushed, in a minute or two.
check:
	.ci/run build format vet static
	go test ./internal/policy

test:
	go test ./...

race:
	.ci/run race

sim:
	.ci/run sim

# Breaks the code in one way after another: something must notice each. Ten minutes.
mutations:
	go run ./sim/mutations

# All micro-benchmarks. For the whole server: go run ./cmd/ledgerctl benchmark
bench:
	go test -run '^$$' -bench . -benchmem ./...

# What each stage of a transfer's way costs the processor, and what the machine can
# do at best: see docs/PERFORMANCE.md. Two minutes.
stages:
	go test -run '^$$' -bench '^BenchmarkLimit' ./bench
	go test -run '^$$' -bench '^BenchmarkStage' ./io/bus ./io/disk ./wire ./vsr/grid ./vsr/journal
	go test -run '^$$' -bench '^BenchmarkStage' -benchtime 5000000x ./ledger/forest
	go test -run '^$$' -bench '^BenchmarkStage' -benchtime 4000000x ./internal/node

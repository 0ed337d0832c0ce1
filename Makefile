# The lanes of CI are in .ci/run; this file only gives them short names.

.PHONY: check build test race fuzz it bench

check:
	bash .ci/run

build:
	CGO_ENABLED=0 go build -trimpath -o fairlead ./cmd/fairlead

test race fuzz it:
	bash .ci/run $@

bench:
	go test -run='^$$' -bench=. -benchmem ./...

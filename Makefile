# Everything a person or a machine does with this tree. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
.NOTPARALLEL:

PREFIX ?= /usr/local
DESTDIR ?=
# Arguments for `make demo`, a filter for `make test-one`.
ARGS ?=
T ?=

BINDIR := $(DESTDIR)$(PREFIX)/bin
MANDIR := $(DESTDIR)$(PREFIX)/share/man
SYSTEMD := $(DESTDIR)$(PREFIX)/lib/systemd
SYSUSERS := $(DESTDIR)$(PREFIX)/lib/sysusers.d
TMPFILES := $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
EXAMPLES := $(DESTDIR)$(PREFIX)/share/doc/ddsnode/examples
COMPLETIONS := $(DESTDIR)$(PREFIX)/share
APPLICATIONS := $(DESTDIR)$(PREFIX)/share/applications
ICONS := $(DESTDIR)$(PREFIX)/share/icons

RELEASE := .build/release/ddsnode
ICON_FILES := $(patsubst etc/icons/%,%,$(wildcard etc/icons/hicolor/*/apps/*.svg))
MTA_SAMPLES := postfix/main.cf postfix/master.cf opensmtpd/smtpd.conf
PAGES := $(wildcard man/*.1 man/*.5 man/*.7 man/*.8)
SWIFT_FILES := Package.swift Sources Tests

# The Swift runtime goes into the binary, so that it runs where no toolchain is.
RELEASE_FLAGS := -c release --product ddsnode --static-swift-stdlib

.PHONY: help
help: ## This list.
	@echo "usage: make TARGET"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-10s %s\n", $$1, $$2 }'

.PHONY: demo
demo: deps build ## Install what is missing, build, and run a node with two members on this machine.
	@$(RELEASE) demo $(ARGS)

.PHONY: test
test: deps test-deps swift ## Install what is missing and run every test.
	@scripts/run-tests.sh

.PHONY: test-web
test-web: deps test-deps swift ## The page in a real Chromium: origins, disk, keys, screens. ARGS="mailbox page" names programs.
	swift build --product ddsnode
	@for program in $(or $(ARGS),$(basename $(notdir $(wildcard Tests/Web/*.py)))); do \
	    echo "==> $$program"; DDSNODE="$(CURDIR)/.build/debug/ddsnode" python3 Tests/Web/$$program.py || exit 1; \
	done

.PHONY: interop
interop: deps test-deps swift ## The real binary with programs that others wrote. ARGS="postfix hygiene" names programs.
	swift build --product ddsnode
	@for program in $(or $(ARGS),$(basename $(notdir $(shell grep -l __main__ Tests/Interop/*.py)))); do \
	    echo "==> $$program"; DDSNODE="$(CURDIR)/.build/debug/ddsnode" python3 Tests/Interop/$$program.py || exit 1; \
	done

.PHONY: screenshots
screenshots: deps test-deps build ## Shoot every screen of the demo into screenshots/, light and dark, wide and narrow.
	@DDSNODE="$(CURDIR)/$(RELEASE)" python3 scripts/screenshots.py screenshots $(ARGS)

.PHONY: deps
deps: ## Install with apt what building needs.
	@scripts/install-deps.sh build

.PHONY: test-deps
test-deps: ## Install with apt what the tests need besides.
	@scripts/install-deps.sh test

.PHONY: swift
swift:
	@if ! command -v swift >/dev/null; then \
	    echo "swift is not on the PATH. Install Swift 6.3 (https://www.swift.org/install/linux/) and add its usr/bin to PATH." >&2; \
	    exit 69; \
	fi; \
	version=$$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+)\.([0-9]+).*/\1 \2/p' | head -n 1); \
	read -r major minor <<<"$${version:-0 0}"; \
	if (( major * 1000 + minor < 6003 )); then \
	    echo "$$(command -v swift) is Swift $$major.$$minor; ddsnode needs 6.3 or later. Put the newer one first on the PATH." >&2; \
	    exit 69; \
	fi

.PHONY: build
build: swift ## Build the release binary, .build/release/ddsnode.
	@echo "building in release mode; the first time takes some minutes"
	swift build $(RELEASE_FLAGS)

.PHONY: check
check: swift man ## The quick round while writing: unit tests, dialogs, tidy, manual pages.
	scripts/unit-tests.sh

.PHONY: test-one
test-one: swift ## The unit tests whose name matches T: make test-one T=POP3WaitTests
	@[ -n "$(T)" ] || { echo "say which: make test-one T=POP3WaitTests" >&2; exit 64; }
	swift test --filter '$(T)'

.PHONY: asan
asan: swift ## The unit tests under AddressSanitizer and LeakSanitizer.
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/lsan.supp:print_suppressions=0 \
	    scripts/unit-tests.sh --sanitize=address --scratch-path .build-asan

.PHONY: tsan
tsan: swift ## The unit tests under ThreadSanitizer.
	TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/tsan.supp:halt_on_error=0 \
	    scripts/unit-tests.sh --sanitize=thread --scratch-path .build-tsan

.PHONY: fuzz
fuzz: swift ## Mutations of everything sealed, signed or typed, N=5000 runs each; then libFuzzer, SECS=60 a target, T=pop3 only that.
	@if [ -z "$(T)" ]; then swift build --build-tests; fi
	@[ -n "$(T)" ] || { mark=$$(mktemp -d); DDSNODE_RUNS=$(or $(N),5000) DDSNODE_FUZZ_MARK=$$mark SWIFT_BACKTRACE=enable=no \
	    swift test --skip-build --filter FuzzTests || { echo "where they were:"; cat $$mark/*; exit 1; }; rmdir $$mark; }
	@scripts/fuzz.sh "$(T)" "$(or $(SECS),60)"

.PHONY: bench
bench: build ## Measure the release binary, each figure beside what the machine itself gives.
	swift build $(RELEASE_FLAGS:ddsnode=ddsbench)
	@DDSNODE="$(CURDIR)/$(RELEASE)" python3 Tests/Bench/bench.py $(ARGS)

.PHONY: man
man: ## Check the manual pages.
	@command -v mandoc >/dev/null || { echo "mandoc is missing; run: make test-deps" >&2; exit 69; }
	@mandoc -T lint -W warning $(PAGES)
	@echo "man: $(words $(PAGES)) pages are clean"

.PHONY: lint
lint: swift ## Say where the source is not formatted as it should be.
	swift format lint --strict --parallel --recursive $(SWIFT_FILES)

.PHONY: fmt
fmt: swift ## Format the source.
	swift format --in-place --parallel --recursive $(SWIFT_FILES)

.PHONY: install
install: ## Install program, pages, units, desktop entry, completions and samples: make install PREFIX=/usr DESTDIR=...
	@[ -x $(RELEASE) ] || { echo "there is no $(RELEASE) yet; run: make build" >&2; exit 66; }
	install -D -s -m 755 $(RELEASE) "$(BINDIR)/ddsnode"
	for page in $(PAGES); do install -D -m 644 $$page "$(MANDIR)/man$${page##*.}/$${page##*/}"; done
	install -d "$(SYSTEMD)/system" "$(SYSTEMD)/user" "$(SYSUSERS)" "$(TMPFILES)" "$(EXAMPLES)"
	sed 's,/usr/bin/ddsnode,$(PREFIX)/bin/ddsnode,' etc/ddsnode-server.service > "$(SYSTEMD)/system/ddsnode-server.service"
	sed 's,/usr/bin/ddsnode,$(PREFIX)/bin/ddsnode,' etc/ddsnode-agent.service > "$(SYSTEMD)/user/ddsnode-agent.service"
	chmod 644 "$(SYSTEMD)/system/ddsnode-server.service" "$(SYSTEMD)/user/ddsnode-agent.service"
	install -m 644 etc/sysusers.d/ddsnode.conf "$(SYSUSERS)/ddsnode.conf"
	install -m 644 etc/tmpfiles.d/ddsnode.conf "$(TMPFILES)/ddsnode.conf"
	install -m 644 etc/server.toml etc/agent.toml "$(EXAMPLES)"
	for sample in $(MTA_SAMPLES); do install -D -m 644 etc/$$sample "$(EXAMPLES)/$$sample"; done
	install -d "$(APPLICATIONS)"
	sed 's,/usr/bin/ddsnode,$(PREFIX)/bin/ddsnode,' etc/ddsnode.desktop > "$(APPLICATIONS)/ddsnode.desktop"
	chmod 644 "$(APPLICATIONS)/ddsnode.desktop"
	for icon in $(ICON_FILES); do install -D -m 644 etc/icons/$$icon "$(ICONS)/$$icon"; done
	install -d "$(COMPLETIONS)/bash-completion/completions" "$(COMPLETIONS)/zsh/site-functions" \
	    "$(COMPLETIONS)/fish/vendor_completions.d"
	$(RELEASE) completion bash > "$(COMPLETIONS)/bash-completion/completions/ddsnode"
	$(RELEASE) completion zsh > "$(COMPLETIONS)/zsh/site-functions/_ddsnode"
	$(RELEASE) completion fish > "$(COMPLETIONS)/fish/vendor_completions.d/ddsnode.fish"

.PHONY: uninstall
uninstall: ## Remove what install put there. State, keys and mail stay.
	rm -f "$(BINDIR)/ddsnode" $(foreach page,$(PAGES),"$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))")
	rm -f "$(SYSTEMD)/system/ddsnode-server.service" "$(SYSTEMD)/user/ddsnode-agent.service"
	rm -f "$(SYSUSERS)/ddsnode.conf" "$(TMPFILES)/ddsnode.conf"
	rm -f "$(APPLICATIONS)/ddsnode.desktop" $(foreach icon,$(ICON_FILES),"$(ICONS)/$(icon)")
	rm -f "$(EXAMPLES)/server.toml" "$(EXAMPLES)/agent.toml" $(foreach sample,$(MTA_SAMPLES),"$(EXAMPLES)/$(sample)")
	rm -f "$(COMPLETIONS)/bash-completion/completions/ddsnode" "$(COMPLETIONS)/zsh/site-functions/_ddsnode" \
	    "$(COMPLETIONS)/fish/vendor_completions.d/ddsnode.fish"
	for folder in "$(EXAMPLES)/postfix" "$(EXAMPLES)/opensmtpd" "$(EXAMPLES)" "$(dir $(EXAMPLES))"; do [ ! -d "$$folder" ] || rmdir --ignore-fail-on-non-empty "$$folder"; done

.PHONY: clean
clean: ## Remove everything that was built.
	rm -rf .build .build-asan .build-tsan .build-fuzz

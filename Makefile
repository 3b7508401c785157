# The project's commands; `make` alone lists them. A fresh machine needs Python 3.11 or newer and make.

PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 2
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py

# Chromium is needed unless ARGS names only tests outside tests/browser.
named_tests := $(filter tests/%,$(ARGS))
needs_browser := $(if $(named_tests),$(if $(filter tests/browser%,$(named_tests)),browser),browser)

# Installs the packages in $(1) as root on Debian. Fails elsewhere, so that the caller can say what is missing.
apt_install = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && export DEBIAN_FRONTEND=noninteractive \
	&& { apt-get -o DPkg::Lock::Timeout=600 -qq update || true; } \
	&& apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends $(1); }

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-clocks format check lint ci bench screenshots install browser faketime \
	lint-style lint-templates lint-layers lint-types lint-migrations lint-deployment

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: export DEBUG = 1
run: $(VENV)/run.stamp ## Start the console with demo customers (PORT=8000, DATABASE_URL=SQLite in var/)
	$(MANAGE) migrate
	$(MANAGE) seed_demo
	$(MANAGE) runserver 127.0.0.1:$(PORT)

test: install $(needs_browser) ## Run the tests (ARGS="-n 2 tests/...", TEST_DATABASE_URL=postgres://...)
	$(BIN)/python -m pytest $(ARGS)

test-fast: install ## Run the tests that need no browser, in parallel (WORKERS=2, ARGS=...)
	$(BIN)/python -m pytest -n $(WORKERS) -m "not browser" -q $(ARGS)

test-clocks: install faketime ## Run the tests that need no browser at awkward times (ARGS="tests/...", WORKERS=2)
	@$(BIN)/python -m tests.clocks $(ARGS)

format: install ## Format code and templates
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .
	find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} +

check: lint-style lint-templates lint-layers lint-types ## Check style, templates, layers and types

lint: check lint-migrations lint-deployment ## Check the same, and migrations and deployment settings

ci: ## Run everything that must hold before a change is merged
	.ci/run

bench: install ## Measure against the goals of docs/performance.md (SIZES=1000,100000, DATABASE_URL=PostgreSQL on this machine)
	@$(BIN)/python -m tests.benchmarks

screenshots: install browser ## Take the screenshots of the pages
	$(BIN)/python -m tests.screenshots

install: $(VENV)/tests.stamp ## Install what the commands above need into .venv (they do so themselves)

# --- One target per linter ---------------------------------------------------

lint-style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-templates: install
	find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 --check {} +

lint-layers: install
	$(BIN)/lint-imports --no-logo

lint-types: install
	$(BIN)/mypy

lint-migrations: install
	$(MANAGE) makemigrations --check --dry-run

# A random key and a public host: the settings that production needs at least.
lint-deployment: install
	DEBUG=0 SECURE_SSL=1 ALLOWED_HOSTS=console.example.com CSRF_TRUSTED_ORIGINS=https://console.example.com \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	$(MANAGE) check --deploy --fail-level WARNING

# --- Requirements of the machine ---------------------------------------------

# Debian packages ensurepip separately; without it a virtual environment has no pip.
$(BIN)/pip:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(call apt_install,python3-venv) || { \
		echo 'Python 3 with its venv module is missing: install it first (Debian: sudo apt-get install python3-venv).' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/run.stamp: requirements.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --requirement requirements.txt
	@touch $@

$(VENV)/tests.stamp: requirements.txt tests/requirements.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --requirement tests/requirements.txt
	@touch $(VENV)/run.stamp $@

# Without the fonts, Chinese characters are shown as boxes.
browser:
	@{ command -v chromium && fc-list :lang=zh | grep -q .; } >/dev/null 2>&1 || $(call apt_install,chromium fonts-noto-cjk) \
		|| command -v chromium >/dev/null \
		|| echo 'No Chromium: browser tests will be SKIPPED (Debian: sudo apt-get install chromium fonts-noto-cjk).' >&2

faketime:
	@command -v faketime >/dev/null || $(call apt_install,faketime) || { \
		echo 'faketime is missing: install it first (Debian: sudo apt-get install faketime).' >&2; exit 1; }

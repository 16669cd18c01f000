# Everything a newcomer types. Set-up happens by itself: each target installs what it needs from the lock, once.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test core soak drill cluster mutate screenshots lint bench image installation lock catalogs
.SUFFIXES:

# Any Python 3.11 or 3.12; `make PYTHON=/path/to/python3.11 ...` chooses one.
PYTHON ?=
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes

help: ## list the targets (this is what a bare `make` does)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The recipe is one plain command, so that make starts it without a shell and passes SIGTERM on to it.
run: .venv/base.stamp ## start everything (embedded services, demo data, all processes); Ctrl-C stops it
	@$(PY) manage.py demo

test: .venv/dev.stamp catalogs ## run the whole test suite (TESTS="tests/gates -k health" narrows it)
	$(PY) -m pytest -n 2 $(TESTS)

# Tenants' separation, mail in and out, jobs whose workers are killed, new customers, upgrade and backup.
CORE := tests/gates/test_isolation.py tests/gates/test_hosts.py tests/gates/test_threads.py \
  tests/gateway/test_smtp.py tests/gateway/test_pop3.py tests/gateway/test_bytes.py \
  tests/mailboxes/test_delivery_and_collection.py tests/mailboxes/test_passwords.py \
  tests/mailboxes/test_backup.py tests/mailboxes/test_restoring.py tests/mailboxes/test_restoring_strange.py \
  tests/tenants/test_spares.py tests/tenants/test_upgrading.py tests/portal/test_way.py \
  tests/breaking/test_pooled.py tests/breaking/test_restarts.py tests/breaking/test_killed_workers.py
POSTGRES ?= $(lastword $(wildcard /usr/lib/postgresql/*/bin))

core: .venv/dev.stamp catalogs ## run a part of it on this machine's own PostgreSQL behind PgBouncer, and its Redis (POSTGRES=/folder/of/programs chooses one)
	@test -n "$(POSTGRES)" || { echo "make core: there is no PostgreSQL; on Debian and Ubuntu: apt-get install postgresql redis-server" >&2; exit 1; }
	GATEHOUSE_TEST_POSTGRES=$(POSTGRES) $(PY) -m pytest -n 2 $(CORE) $(TESTS)

soak: .venv/dev.stamp catalogs ## run long: more kills, more mail, more resets, every page in every language, everybody at every URL (about half an hour)
	GATEHOUSE_LONG=1 $(PY) -m pytest --timeout=3600 tests/breaking tests/mailboxes/test_store.py tests/mailboxes/test_moving.py \
	  tests/mailboxes/test_backup.py tests/mailboxes/test_restoring.py tests/mailboxes/test_one_customer.py tests/mailboxes/test_examining.py \
	  tests/gateway/test_bucket.py tests/journeys/test_every_page.py tests/wall/test_wall.py tests/portal/test_processes.py $(TESTS)

drill: .venv/dev.stamp catalogs ## back up under load, destroy everything, restore, and account for every message (some minutes)
	GATEHOUSE_LONG=1 $(PY) -m pytest -n 0 --timeout=3600 -rP tests/breaking/test_drill.py

cluster: .venv/dev.stamp catalogs ## try customers on the nodes of a Citus cluster (CLUSTER=postgresql://superuser@coordinator/database)
	@if [ -z "$(CLUSTER)" ]; then \
	  echo "make: skipped, for there is no cluster: make cluster CLUSTER=postgresql://superuser@coordinator/database (docs/cluster.md)"; \
	else \
	  GATEHOUSE_TEST_CLUSTER="$(CLUSTER)" $(PY) -m pytest -n 0 --timeout=900 -rs tests/breaking/test_cluster.py \
	    $(if $(TESTS),$(TESTS),$(filter-out tests/mailboxes/test_backup.py tests/mailboxes/test_restoring%,$(CORE))); \
	fi

mutate: .venv/dev.stamp catalogs ## break promises one by one and see that their tests notice (WITH="-k store" narrows it)
	$(PY) -m tests.mutations $(WITH)

screenshots: .venv/dev.stamp catalogs ## write pictures of every page, by width and look, to docs/screenshots/
	$(PY) -m pytest tests/journeys/screenshots.py

lint: .venv/dev.stamp ## check format, rules, types, templates, imports, migrations and catalogs
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/djlint --check --quiet .
	.venv/bin/djlint --lint --quiet .
	.venv/bin/lint-imports --no-cache
	$(PY) manage.py makemigrations --check --dry-run --skip-checks
	$(PY) -m portal.languages.catalogs --check
	.venv/bin/hadolint docker/Dockerfile

bench: .venv/dev.stamp ## run the benchmarks; every result is a ratio within the same run (PART=growth: with up to 2,000 customers; PART=customers: their list with 1,000)
	$(PY) -m benchmarks $(PART)

image: .venv/dev.stamp ## build the container image, list its contents, and try it (needs root, buildah, PostgreSQL, Redis)
	@BASE="$(BASE)" docker/make-image

installation: .venv/dev.stamp ## install it by the commands of docs/deployment.md, on a machine that boots for it, up to a collected mail (needs root)
	$(PY) -m pytest -q -n 0 --timeout=900 tests/image/by_the_documents.py $(TESTS)

lock: .venv-lock/stamp ## write requirements/*.lock anew from pyproject.toml
	.venv-lock/bin/uv pip compile --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  --output-file requirements/base.lock --group onebox pyproject.toml
	cp requirements/base.lock requirements/image.lock
	.venv-lock/bin/uv pip compile --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  --output-file requirements/image.lock pyproject.toml
	.venv-lock/bin/uv pip compile --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  --output-file requirements/dev.lock --group dev pyproject.toml
	.venv-lock/bin/uv pip compile --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  --output-file requirements/installer.lock --group pyproject.toml:installer

catalogs: .venv/base.stamp
	@$(PY) -m portal.languages.catalogs

# The development lock contains the run-time one, so installing it settles both.
.venv/dev.stamp: requirements/dev.lock
	@$(call make-venv)
	@echo "Installing the development dependencies from $< (once) ..."
	@$(call install,$<)
	@touch .venv/base.stamp $@

.venv/base.stamp: requirements/base.lock
	@$(call make-venv)
	@echo "Installing the dependencies from $< (once) ..."
	@$(call install,$<)
	@touch $@

.venv-lock/stamp:
	@$(call make-venv)
	$(PY) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

# By uv, which takes a fraction of pip's time: the one on the PATH, or one that pip brings. Where it can't be had or
# does not get through (it knows nothing of pip's own settings), pip does all of it. The hashes hold for each.
define install
	if uv --version >/dev/null 2>&1; then uv=uv; else \
	  $(PIP) --requirement requirements/installer.lock && uv=.venv/bin/uv; \
	fi; \
	if [ -n "$$uv" ] && "$$uv" pip install --quiet --python $(PY) --require-hashes --requirement $(1); then exit 0; fi; \
	echo "uv did not get through, so pip installs, which takes longer ..."; \
	$(PIP) --requirement $(1)
endef

# A shim may exist on the PATH and still not run, so each candidate has to prove itself. An environment without
# pip is what an interrupted `venv` leaves behind: it is made anew.
define make-venv
	if .venv/bin/python -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3.12 python3.11 python3 python); do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1; then \
	    echo "Creating the virtual environment .venv with $$("$$python" --version) ..."; \
	    "$$python" -m venv --clear .venv && exit 0; \
	    echo "make: $$python cannot create virtual environments; on Debian and Ubuntu install python3-venv." >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "make: no Python 3.11 or 3.12 found. Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	exit 1
endef

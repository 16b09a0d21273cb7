# Two commands for a newcomer: "make demo" and "make test". Both need Python 3.11 or newer with venv, and make.
#
#   PYTHON=python3.13   the Python to make the environment with (default: python3, else the newest python3.x found)
#   VENV=.venv          where the environment is
#   DRIVER=psycopg2     the driver of the database in a new environment: psycopg2 or psycopg3
#   DJANGO=             the Django to install, such as DJANGO='Django>=6.1,<6.2' (default: the newest that fits)
#   PORT=8000           the first port that "make demo" tries
#   PROCESSES=2         how many processes run the tests; 0: this one
#   BROKERS='rabbitmq redis'  the brokers that "make chaos" runs its storms over, for MINUTES=5 each
#   REF=main  LIMIT=1.04  the commit that "make bench-against" measures this checkout against, and the ratio from which
#                       on it fails (default: none)
#   JOBS=1000000        how many jobs "make bench-console" fills its tables with; 10000000 takes half an hour
#   MARKS='not chaos and not survey and not projects'   which tests "make test" runs, by their marks; MARKS= runs all
#   ARGS=               further arguments for pytest, for the demo, or for the storms

VENV ?= .venv
DRIVER ?= psycopg2
DJANGO ?=
PORT ?= 8000
PROCESSES ?= 2
BROKERS ?= rabbitmq redis
MINUTES ?= 5
MARKS ?= not chaos and not survey and not projects
ARGS ?=

# Compiled files are worth it: the tests start a hundred processes.
unexport PYTHONDONTWRITEBYTECODE

RUN = $(VENV)/bin/python
PIP = $(RUN) -m pip install -qq --disable-pip-version-check
PACKAGE_FILES = setup.cfg pyproject.toml
ifeq ($(filter psycopg2 psycopg3,$(DRIVER)),)
$(error DRIVER=$(DRIVER): give psycopg2 or psycopg3)
endif
ifeq ($(DRIVER),psycopg3)
# The demo brings psycopg2: an environment for the other is to have no use of it.
SET_DRIVER = && $(PIP) --editable '.[psycopg]' $(if $(DJANGO),'$(DJANGO)') && $(RUN) -m pip uninstall -qq --yes psycopg2-binary
endif

.DEFAULT_GOAL = help
.PHONY: help demo demo-check test chaos bench bench-against bench-console screenshots pictures reference lint messages matrix wheel clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed-demo ## Run a whole installation on this machine until Ctrl-C
	@exec $(RUN) -m django_wfe.demo --port $(PORT) --stop-with-parent $(ARGS)

demo-check: $(VENV)/.installed-demo ## Use a temporary demo as people would, and say whether it works
	@exec $(RUN) -m tests.support.demo.check --stop-with-parent $(ARGS)

test: $(VENV)/.installed-test ## Run the tests
	$(RUN) -m pytest -n $(PROCESSES) --dist loadgroup -m '$(MARKS)' $(ARGS)

chaos: $(VENV)/.installed-test ## Run jobs while workers, brokers and the database are killed (docs/chaos.md)
	@for broker in $(BROKERS); do \
		$(RUN) -m tests.chaos.storm --broker $$broker --minutes $(MINUTES) $(ARGS) || exit 1; \
	done

bench: $(VENV)/.installed-bench ## Measure the speed beside others; needs RabbitMQ
	$(RUN) -m benchmarks --write docs/benchmarks.md $(ARGS)

bench-against: $(VENV)/.installed-bench ## Measure this checkout against another commit, in turns: REF=COMMIT [LIMIT=1.04]
	$(if $(REF),,$(error Which commit? Say it so: make bench-against REF=COMMIT))
	@$(RUN) -m benchmarks.against $(REF) $(if $(LIMIT),--limit $(LIMIT)) $(ARGS)

bench-console: $(VENV)/.installed-bench ## Measure the pages of the console with a million jobs, or JOBS=10000000
	$(RUN) -m benchmarks.console --write docs/benchmarks.md $(if $(JOBS),--jobs $(JOBS)) $(ARGS)

screenshots: $(VENV)/.installed-test ## Take the pictures in docs/images anew; needs Chromium (CHROMIUM=/usr/bin/chromium)
	$(PIP) pillow
	PYTHONPATH=. $(RUN) docs/take_screenshots.py

pictures: ## Draw the pictures of docs/architecture.md anew; needs Graphviz
	@for source in docs/pictures/*.dot; do \
		dot -Tsvg "$$source" -o "docs/images/$$(basename "$$source" .dot).svg" || exit 1; \
	done

reference: $(VENV)/.installed-test ## Write docs/reference.md anew from the code
	DJANGO_SETTINGS_MODULE=django_wfe.demo.settings $(RUN) docs/write_reference.py

lint: $(VENV)/.installed-lint ## Check style, types, layers and migrations
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	@# A migration is missing or not, whether or not a database is there.
	$(RUN) -W ignore::RuntimeWarning -m django makemigrations --check --dry-run --settings django_wfe.demo.settings django_wfe

messages: $(VENV)/.installed-test ## Take new texts into the German catalogue, and compile it; needs gettext
	@# templates is a link to the folder beside the package.
	cd django_wfe && $(abspath $(RUN)) -m django makemessages --locale de --symlinks --no-obsolete --no-wrap --add-location file
	@# The time of the last run is no text: it would only have each two branches differ.
	@sed -i '/^"POT-Creation-Date: /d' django_wfe/locale/de/LC_MESSAGES/django.po
	cd django_wfe && $(abspath $(RUN)) -m django compilemessages --locale de

matrix: ## Run checks and tests with the oldest and the newest Python and Django (installs with apt)
	@bash .ci/run

wheel: $(VENV)/.installed-test ## Build the sdist and the wheel into dist/
	$(RUN) -m build --no-isolation

clean: ## Delete the environment, the demo's data and everything generated
	@if [ -e $(VENV)/.installed-demo ] && [ -d .demo ]; then $(RUN) -m django_wfe.demo clean; fi
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# What is installed for the lint suffices for the tests, and that for the demo.
$(VENV)/.installed-demo: $(VENV)/.created $(PACKAGE_FILES)
	@echo "Installing django-wfe and what the demo needs into $(VENV) ..."
	@$(PIP) --editable '.[demo]' $(if $(DJANGO),'$(DJANGO)') $(SET_DRIVER)
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created $(PACKAGE_FILES)
	@echo "Installing django-wfe and what the tests need into $(VENV) ..."
	@$(PIP) --editable '.[test]' $(if $(DJANGO),'$(DJANGO)') $(SET_DRIVER)
	@touch $(VENV)/.installed-demo $@

$(VENV)/.installed-lint: $(VENV)/.created $(PACKAGE_FILES)
	@echo "Installing django-wfe and what the checks need into $(VENV) ..."
	@$(PIP) --editable '.[lint]' $(if $(DJANGO),'$(DJANGO)') $(SET_DRIVER)
	@touch $(VENV)/.installed-demo $(VENV)/.installed-test $@

$(VENV)/.installed-bench: $(VENV)/.created $(PACKAGE_FILES)
	@echo "Installing django-wfe and what the benchmarks need into $(VENV) ..."
	@$(PIP) --editable '.[bench]' $(if $(DJANGO),'$(DJANGO)')
	@touch $@

# An environment that is there and works is taken as it is.
$(VENV)/.created:
	@if $(RUN) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then touch $@; exit 0; fi; \
	for python in $(or $(PYTHON),python3 $(foreach minor,19 18 17 16 15 14 13 12 11,python3.$(minor))); do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$($$python --version) ..."; \
			$$python -m venv --clear $(VENV) && touch $@; \
			exit; \
		fi; \
	done; \
	echo "No usable Python among: $(or $(PYTHON),python3 and python3.11 to python3.19)." >&2; \
	echo "Python 3.11 or newer with its venv module is needed (on Debian and Ubuntu: apt install python3-venv)." >&2; \
	echo "If it is installed under another name: make PYTHON=/path/to/python3 ..." >&2; \
	exit 1

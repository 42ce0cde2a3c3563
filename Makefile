# The commands of the checkout. Thin: what they do stands in tests/run and tests/lab.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

PYTHON ?= python3
HOST ?= services
VENV := .venv/bin
RUN := $(VENV)/python -m tests.run
LAB := $(VENV)/python -m tests.lab
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help setup controller demo check lint sanity unit test test-full integration molecule bench matrix
.PHONY: lab-up lab-down lab-status shell build docs changelog clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## The tools in .venv (every other command does this first)
	@$(PYTHON) tests/run/setup_env.py dev

controller:
	@$(PYTHON) tests/run/setup_env.py controller

demo: controller ## Start the lab, converge it with site.yml, run a build (root)
	@$(VENV)/python -m tests.run.demo

check: setup ## Lint, types, sanity, unit tests, tarball: no lab, no root, at most 4 minutes
	@$(RUN) check

lint unit sanity: setup
	@$(RUN) $@

test: setup ## Everything that CI runs: check, and the tests on the lab (root)
	@$(RUN) test

test-full: setup ## The same with the whole matrices
	@$(RUN) test-full

integration: setup ## The tests on the lab (root)
	@$(RUN) integration

molecule: setup ## The roles' scenarios on the lab (root)
	@$(RUN) molecule

bench: setup ## Measures side by side with what a user would do instead (root)
	@$(RUN) bench

matrix: setup ## Unit tests and the default scenario on ansible-core 2.17 and 2.19 (root)
	@$(RUN) matrix

lab-up: controller ## Start the lab, or what of it is missing (root)
	@$(LAB) up

lab-down: controller ## Take the lab down, nothing is left (root)
	@$(LAB) down

lab-status: controller ## Which hosts of the lab run
	@$(LAB) status

shell: controller ## A shell on a lab host: make shell HOST=nomad-client-1
	@$(LAB) shell $(HOST)

build: setup ## The tarball in dist/
	@$(VENV)/python -m tests.gates.build

docs: setup ## Write the roles' option tables, docs/reference.md and the table of docs/health.md
	@$(VENV)/python -m tests.gates.role_docs --write
	@$(VENV)/python -m tests.gates.reference --write
	@$(VENV)/python -m tests.gates.health_docs --write

changelog: setup ## Gather changelogs/fragments into CHANGELOG.md (at a release)
	@$(VENV)/antsibull-changelog release

clean: ## Remove what the tools left (not the lab: make lab-down)
	@rm -rf .venv .collections .logs .ansible .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis dist tests/output
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

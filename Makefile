# The first target to run sets the environment up: uv when present, else pip installs it here.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync
DEMO_ARGS ?=
VAR ?= var
TEST_ARGS ?=
SEEDS ?= 500
SECONDS ?= 120
BENCH_ARGS ?=
TYPES ?=
ARGS ?=

# Dozens of processes import the same: the first writes what it compiled, so that no other has to.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo serve cluster cluster-down test simulate chaos bench observe contracts generate check format clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: .venv/.synced ## Install what it needs, uv included; every other target does so, too

demo: .venv/.synced ## Run a whole marketplace on this machine, prove it, and end
	@$(RUN) kameng demo $(if $(CLUSTER),--cluster --var var/demo-cluster) $(DEMO_ARGS)

serve: .venv/.synced ## Run it and stay; data is kept under var/
	@$(RUN) kameng serve --var $(VAR)

test: .venv/.synced ## Run every test; TEST_ARGS="-m unit" those that need no server, folder or process
	@$(RUN) pytest -n 3 --dist loadfile $(TEST_ARGS)

simulate: .venv/.synced ## Run SEEDS=500 whole clusters on a virtual clock under seeded faults, and hold every law against them
	@$(RUN) python -m tests.simulation --seeds $(SEEDS)

chaos: .venv/.synced ## For SECONDS=120, fail everything that can fail in a real cluster under load, then check the laws
	@$(RUN) python -m tests.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

bench: .venv/.synced ## Measure it beside its peers; figures in var/bench.json
	@$(UV) sync --frozen --quiet --group bench
	@$(RUN) python -m tests.bench $(BENCH_ARGS)

observe: .venv/.synced ## Run a cluster under a real Prometheus and ask every panel and alert; ARGS="--stay" to look
	@$(RUN) python -m tests.observability $(ARGS)

cluster: .venv/.synced ## Run it as processes of their own, on PostgreSQL and RabbitMQ
	@$(RUN) kameng cluster up

cluster-down: .venv/.synced ## End the cluster; its data stays
	@$(RUN) kameng cluster down

contracts: .venv/.synced ## Write docs/events and the subscriber's models from the contracts; refuses what would break a subscriber
	@$(RUN) python -m shared.published write
	@$(RUN) python -m clients.generate

generate: contracts ## Write every generated file: also dashboards, and what follows from the list of services and their declarations
	@$(RUN) python -m observability write
	@$(RUN) python -m deploy write

check: .venv/.synced ## Lint, types, walls between the rooms, the lock file, what outsiders were told, dashboards, alerts, manifests
	@$(UV) lock --check --quiet
	@$(RUN) python -m deploy check
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) basedpyright $(TYPES)
	@$(RUN) python -m clients.generate --check
	@$(RUN) lint-imports --no-logo
	@$(RUN) python -m shared.published check
	@$(RUN) python -m tests.published.asyncapi
	@$(RUN) python -m observability check
	@$(RUN) pytest tests/deploy/static tests/test_kernel.py tests/test_services.py -rs -p no:cacheprovider

format: .venv/.synced ## Put the code into its usual form
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

clean: ## Remove what was made here, data included
	rm -rf .venv .uv var .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/.synced: pyproject.toml uv.lock | $(filter .uv/%,$(UV))
	@$(UV) sync --frozen --quiet
	@touch $@

.uv/bin/uv:
	@python3 -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

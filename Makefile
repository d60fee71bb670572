# Everything runs from here on a machine with Python 3.11+ and make. `make` alone lists the targets.
PYTHON    ?= python3
VENV      := .venv
STUDIO    := .venv-studio
UV_HOME   := .venv-uv
UV        := $(UV_HOME)/bin/uv
TIEBREAK  := $(VENV)/bin/tiebreak
ARGS      ?=

# Bytecode is kept, whatever the environment says: processes start in a third of the time.
unexport PYTHONDONTWRITEBYTECODE

# pip's find-links setting (a local torch wheel, say) is passed on to uv; without one, torch comes as its CPU build.
FIND_LINKS := $(or $(UV_FIND_LINKS),$(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
export UV_FIND_LINKS := $(FIND_LINKS)
TORCH     := torch==2.13.0
TORCH_BACKEND ?= $(if $(FIND_LINKS),,--torch-backend cpu)
# torch's CPU wheel has another hash than the registry's, so it stays out of the locks, and so does its CUDA tail.
CUDA      := nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft \
             nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 \
             nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx cuda-bindings cuda-pathfinder cuda-toolkit triton
COMPILE    = $(UV) pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes \
             --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
             $(foreach package,torch attr $(CUDA),--no-emit-package $(package))

.DEFAULT_GOAL := help
.PHONY: help demo up test matrix scale faults bench fuzz audit image-check lint secrets install install-dev install-studio lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: install install-studio ## the guided demo on embedded defaults; ARGS="--exit --json" verifies it and stops
	@$(TIEBREAK) demo $(ARGS)

up: install install-studio ## Label Studio, Valkey, the backend and a worker, with nothing in them
	@$(TIEBREAK) up $(ARGS)

test: install-dev install-studio chromium ## every test, against a real Label Studio, Valkey, encoder and Chromium
	@$(VENV)/bin/pytest --numprocesses 3 --dist loadgroup $(ARGS)

matrix: install-dev ## the contract tests against earlier versions of Label Studio and its SDK (20 minutes, 3 GB)
	@UV="$(abspath $(UV))" nice -n 10 $(VENV)/bin/python tests/contract/matrix.py $(ARGS)

scale: install-dev ## hosts cut off and backends restarted under load, twenty times; needs root for hosts of their own
	@SCALE_ROUNDS=20 $(VENV)/bin/pytest tests/scale --timeout 3600 $(ARGS)

faults: install-dev install-studio ## every fault under load (over twenty minutes), and a table; FAULTS_ROUNDS=1 FAULTS_SEED= FAULTS_JSON=
	@FAULTS_ROUNDS=$(or $(FAULTS_ROUNDS),1) OMP_NUM_THREADS=1 $(VENV)/bin/pytest -v tests/faults/test_every_fault.py $(ARGS)

bench: install-dev ## every benchmark, ours beside the peers; ARGS="--data FILE ..." adds labelled texts of your own
	@OMP_NUM_THREADS=1 $(VENV)/bin/python tests/benchmarks/run.py $(ARGS)

fuzz: install-dev ## inputs nobody should send, as many as fit into ARGS="--seconds 60" for each target
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps --group fuzz >&2 || true
	@nice -n 10 $(VENV)/bin/python tests/fuzz/run.py $(ARGS)

# Asks PyPI for advisories, so it is no test. A package that PyPI does not tell of fails it rather than passing unseen.
audit: install-dev install-studio ## licences into docker/THIRD_PARTY.md, and known vulnerabilities of what the locks pin
	@$(VENV)/bin/python docker/third_party.py
	@for lock in requirements-dev.lock requirements-studio.lock; do \
	  $(UV) tool run --from 'pip-audit>=2.9' pip-audit --strict --disable-pip --require-hashes -r $$lock $(ARGS) || exit 1; \
	done

image-check: install-dev ## every build step of docker/*Dockerfile in a clean folder, and what comes of them without a network
	@IMAGE_CHECK=1 $(VENV)/bin/pytest -rA tests/unit/deploy/test_image_steps.py $(ARGS)

lint: install-dev ## ruff, mypy and the import contract
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

install: $(VENV)/.installed ## the project's environment
install-dev: $(VENV)/.installed-dev
install-studio: $(STUDIO)/.installed

# A stamp is rewritten only when its lock changes, so a second run starts in seconds. Recipes print to stderr: stdout
# belongs to the command that follows.
$(UV):
	@echo "Setting up uv ..." >&2
	@$(PYTHON) -m venv $(UV_HOME) && $(UV_HOME)/bin/python -m pip install -q uv >&2

$(VENV)/.installed: requirements.lock pyproject.toml | $(UV)
	@echo "Installing Tiebreak into $(VENV) (the first time takes a few minutes) ..." >&2
	@test -x $(VENV)/bin/python || $(UV) venv -q --python $(PYTHON) $(VENV) >&2
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q $(TORCH_BACKEND) $(TORCH) >&2
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps --require-hashes -r requirements.lock >&2
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps -e . >&2
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps --require-hashes -r requirements-dev.lock >&2
	@touch $@

$(STUDIO)/.installed: requirements-studio.lock | $(UV)
	@echo "Installing Label Studio into $(STUDIO) ..." >&2
	@test -x $(STUDIO)/bin/python || $(UV) venv -q --python $(PYTHON) $(STUDIO) >&2
	@VIRTUAL_ENV=$(STUDIO) $(UV) pip install -q --no-deps --require-hashes -r requirements-studio.lock >&2
	@touch $@

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  as_root=; test "$$(id -u)" = 0 || as_root=sudo; \
	  command -v apt-get >/dev/null || { echo "Install Chromium or Google Chrome first." >&2; exit 1; }; \
	  echo "Installing Chromium (Debian package) ..." >&2; \
	  $$as_root apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq chromium >&2; }

lock: | $(UV) ## resolve the locks anew
	$(COMPILE) -o requirements.lock
	$(COMPILE) --group dev -c requirements.lock -o requirements-dev.lock
	$(UV) pip compile -q --group studio --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header -o requirements-studio.lock

secrets: ## the passwords and tokens of docker-compose.yml, one a file in docker/secrets; what is there stays
	@sh docker/secrets.sh

clean: ## remove the environments (what Tiebreak keeps in .tiebreak stays)
	rm -rf $(VENV) $(STUDIO) $(UV_HOME)

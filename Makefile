# genlab's commands. `make help` lists them; `make demo` and `make test` do all the set-up themselves.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
GENLAB := $(BIN)/genlab

# Tests run beside each other, a worker a core up to eight; a module's tests stay together, and the longest modules come first.
WORKERS    ?= $(shell n=$$(nproc 2>/dev/null || echo 2); if [ $$n -gt 8 ]; then echo 8; else echo $$n; fi)
ONE_BY_ONE := --dist loadscope --no-loadscope-reorder

DEMO       ?= runs/demo
DEMO_STEPS ?= 20000
CORPUS     ?= python_docs
DATASET    ?= MNIST
# bfloat16 only where the processor multiplies in it.
PRECISION  ?= $(shell grep -qwE 'amx_bf16|avx512_bf16' /proc/cpuinfo 2>/dev/null && echo bf16-mixed || echo 32-true)

# The models of the demo: each has a target demo-<model> that leaves a run in $(DEMO)/<model>.
DEMO_MODELS := char_rnn classifier dcgan vae

.DEFAULT_GOAL := help
.PHONY: help install install-ray demo studies $(addprefix demo-,$(DEMO_MODELS)) test test-all lint types unit format golden bench bench-full bench-check bench-profile bench-quick torture audit mutants coverage clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## create .venv and install genlab, with the versions of constraints.txt

$(READY): pyproject.toml constraints.txt
	@echo "== installing into $(VENV) (torch is large: a few minutes on a slow line)"
	@$(PYTHON) -c 'import sys; sys.exit("genlab needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

# Ray's launcher wants another cloudpickle than joblib does: it gets a folder of its own, for PYTHONPATH.
$(VENV)/ray/.ready: $(READY)
	@echo "== installing Ray into $(VENV)/ray"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/ray \
		cloudpickle==2.2.1 hydra-ray-launcher==1.2.2 msgpack==1.2.4 ray==2.60.0
	@touch $@

install-ray: $(VENV)/ray/.ready ## Ray beside it: PYTHONPATH=.venv/ray genlab train -m ... hydra/launcher=ray

demo: install $(addprefix demo-,$(DEMO_MODELS)) ## train every model on a small budget and write one report page
	@$(GENLAB) report runs=$(DEMO) output=$(DEMO)/report.html title="genlab demo"
	@echo "== done. Open $(DEMO)/report.html in a browser; then try: $(GENLAB) --help"

demo-char_rnn: install
	@echo "== char-RNN: training on $(CORPUS), evaluating, sampling"
	@$(GENLAB) train experiment=char_rnn data.corpus=$(CORPUS) trainer.max_steps=$(DEMO_STEPS) run_dir=$(DEMO)/char_rnn
	@$(GENLAB) evaluate run=$(DEMO)/char_rnn
	@$(GENLAB) sample run=$(DEMO)/char_rnn temperature=0.8 length=1000
	@$(GENLAB) sample run=$(DEMO)/char_rnn temperature=[0.4,0.6,0.8,1.0,1.2,1.4] length=500 >/dev/null

# Images that a demo's judge looks at: fewer than a study's.
FEWER := evaluators.fid_mnist_cnn.real_count=10000
IMAGES := data.dataset=$(DATASET) trainer.precision=$(PRECISION)

demo-classifier: install
	@echo "== classifier: training on $(DATASET), evaluating; it judges the images of the other two"
	@$(GENLAB) train experiment=classifier $(IMAGES) trainer.max_epochs=2 run_dir=$(DEMO)/classifier
	@$(GENLAB) evaluate run=$(DEMO)/classifier
	@$(GENLAB) sample run=$(DEMO)/classifier

# Without dropout a discriminator may win within the first pass, and then there is nothing to see.
demo-dcgan: demo-classifier
	@echo "== DCGAN: training on $(DATASET), evaluating, sampling"
	@$(GENLAB) train experiment=dcgan $(IMAGES) $(FEWER) trainer.max_epochs=2 model.dropout=0.2 run_dir=$(DEMO)/dcgan
	@$(GENLAB) evaluate run=$(DEMO)/dcgan judge=$(DEMO)/classifier
	@$(GENLAB) sample run=$(DEMO)/dcgan kind=[grid,walk,labelled]

demo-vae: demo-classifier
	@echo "== VAE: training on $(DATASET), evaluating, sampling"
	@$(GENLAB) train experiment=vae $(IMAGES) $(FEWER) trainer.max_epochs=2 run_dir=$(DEMO)/vae
	@$(GENLAB) evaluate run=$(DEMO)/vae judge=$(DEMO)/classifier
	@$(GENLAB) sample run=$(DEMO)/vae kind=[grid,manifold,scatter,reconstructions]
	@$(GENLAB) sample run=$(DEMO)/vae kind=walk from_images=true

# Studies: make study-rnn_capacity, make study-gan_lr BUDGET=smoke, make studies. Image models take a PRECISION, unless
# it is what is studied.
BUDGET ?= quick
STUDIES = $(patsubst configs/study/%.yaml,%,$(wildcard configs/study/*.yaml))
STUDY_WORDS = $(if $(filter rnn_% precision,$*),,trainer.precision=$(PRECISION))

study-%: install ## run one study: its sweep, figures, table and verdicts
	@$(GENLAB) train -m study=$* budget=$(BUDGET) $(STUDY_WORDS)

studies: $(addprefix study-,$(STUDIES)) ## run every study, one after another

test: install lint types unit ## check style and types, and run the tests
	@echo "== the tests passed. What to read next: README.md, or: make demo"

lint: install ## check style with ruff
	@echo "== ruff"
	@$(BIN)/ruff check src tests
	@$(BIN)/ruff format --check src tests

types: install ## check types with mypy
	@echo "== mypy"
	@$(BIN)/mypy

unit: install install-ray ## run the tests, but for those marked as exhaustive
	@echo "== pytest"
	@$(BIN)/python -m pytest -n $(WORKERS) $(ONE_BY_ONE) -m "not exhaustive"

test-all: install install-ray ## run all tests: every study under every launcher, and every benchmark, too
	@$(BIN)/python -m pytest -n $(WORKERS) $(ONE_BY_ONE)

format: install ## format the code with ruff
	@$(BIN)/ruff format src tests
	@$(BIN)/ruff check --fix src tests

golden: install ## make the golden runs anew (say in the commit why they changed)
	@$(BIN)/python -m pytest tests/*/test_golden.py --regenerate-golden -q

bench: install ## compare speeds with what people would use instead, a quarter of an hour
	@$(BIN)/python -m genlab.benchmarks

bench-full: install ## the same with more rounds, and how cost grows: about 40 minutes on two cores
	@$(BIN)/python -m genlab.benchmarks --full

bench-check: install ## measure, and say what is slower than in bench/reference.json beyond the noise
	@$(BIN)/python -m genlab.benchmarks --check bench/reference.json

bench-profile: install ## take the training steps apart, and write docs/profile.md
	@$(BIN)/python -m genlab.benchmarks.profile --write-docs

bench-quick: install ## the same at tiny sizes, to see that it runs
	@$(BIN)/python -m genlab.benchmarks --quick

# make torture KILLS=50 SEED=1 MODELS=vae,dcgan
KILLS  ?= 20
SEED   ?= 0
MODELS ?= char_rnn,classifier,dcgan,vae

torture: install ## kill, stop and spoil trainings, see that nothing is lost, and write docs/reliability.md; minutes
	@$(BIN)/python -m genlab.torture --kills $(KILLS) --models $(MODELS) --seed $(SEED) --write-docs

# An environment of its own: what pip-audit brings along is none of genlab's. It asks an advisory service about every pin.
$(VENV)/audit/.ready:
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.9.0
	@touch $@

audit: $(VENV)/audit/.ready ## ask an advisory service about every version in constraints.txt; needs a network
	@echo "== pip-audit of constraints.txt"
	@$(VENV)/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip --progress-spinner off --timeout 20 || \
		{ echo "== not clean, or not audited: advisories stand in a table above; an error above means that the service" \
			"could not be reached and nothing is known" >&2; exit 1; }

# Beside the rest, for these two alone.
$(VENV)/.mutation: $(READY)
	@echo "== installing mutmut and coverage into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	@touch $@

# make mutants SAMPLE=all CHILDREN=2; SAMPLE=1000 SEED=1; make mutants WITHIN=10 leaves out what takes longer
SAMPLE   ?= 400
WITHIN   ?=
CHILDREN ?= 1

mutants: $(VENV)/.mutation ## spoil the code, a little at a time, and see whether a test fails; an hour or so
	@$(BIN)/python -m genlab.torture.mutants --sample $(SAMPLE) --seed $(SEED) --children $(CHILDREN) $(if $(WITHIN),--within $(WITHIN)) --write-docs

coverage: $(VENV)/.mutation install-ray ## run the tests of make test and say which lines they run, 90 % at least
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q -n $(WORKERS) $(ONE_BY_ONE) -m "not exhaustive"
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage json --quiet -o .coverage.json
	@$(BIN)/python -m genlab.torture.line_coverage .coverage.json --at-least 90 --write-docs

clean: ## remove the environment and caches, but no run and no data
	rm -rf $(VENV) mutants .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

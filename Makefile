# One word a task. Each makes its own .venv on first use; say `make PYTHON=python3.12 test` to choose the Python.
# What is tested is the wheel, built from src/ and installed, never the source tree itself.

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# setuptools would pack what an earlier build left behind; the objects of the kernels may stay, and save time.
TIDY := rm -rf build/lib* build/bdist* src/chainrule.egg-info
SOURCES := pyproject.toml setup.py $(shell find src/chainrule -name __pycache__ -prune -o -name '*.so' -o \
	\( -type d -o -name '[a-z_]*.*' \) -print)
ALL := tests --doctest-modules --pyargs chainrule
# A process for each processor; whichever is done first takes tests from the others.
WORKERS := logical
SIDE_BY_SIDE := --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal
TESTS = $(PY) -m pytest $(ONLY) $(COVERAGE) $(SIDE_BY_SIDE)
NUMPY_ALONE := .venv/numpy/site-packages
LOWEST := .venv/lowest/bin/python
SEED := 0
DOCS := $(CURDIR)/.venv/docs
MATHJAX := mathjax@3.2.2
# ONLY=tests/data runs some of them; COVERAGE=--cov measures branch coverage, for a third more time.
ONLY := $(ALL)
COVERAGE :=

# What the user's shell may say to Python, pip and pytest about other projects.
unexport PYTHONPATH PYTHONHOME PYTHONWARNINGS PYTHONOPTIMIZE PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE PYTHONUSERBASE
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_NO_DEPS PIP_ONLY_BINARY PIP_NO_BINARY PIP_REQUIRE_HASHES
unexport PIP_REQUIRE_VIRTUALENV PIP_NO_BUILD_ISOLATION PYTEST_ADDOPTS MPLBACKEND FORCE_COLOR PY_COLORS COLUMNS
.NOTPARALLEL:
.PHONY: help demo docs test test-numpy test-newest test-lowest test-all fuzz lint bench bench-peers clean

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1	\2/p' Makefile | expand -t 20

demo: .venv/.demo .venv/.installed  ## train on 1,797 real handwritten digits; the results are in ./demo
	@.venv/bin/chainrule train digits --out demo

# Not in two jobs at a time: their kernels may be given the same port (zmq: "Address already in use").
docs: .venv/.docs .venv/.installed $(DOCS)/.fresh $(DOCS)/static/tex-svg.js  ## build the site into site/; PAGES="start/index learn/01-one-neuron" some pages
	@env -u CHAINRULE_KERNELS DOCS_PAGES="$(PAGES)" $(PY) -m sphinx --fail-on-warning --keep-going --quiet \
		--doctree-dir $(DOCS)/doctrees -D nb_execution_mode=cache -D nb_execution_cache_path=$(DOCS)/cache docs site
	@echo "The site is in site/index.html"

test: .venv/.dev .venv/.installed  ## every test and docstring example
	@$(TESTS)

test-numpy: .venv/.dev .venv/.numpy  ## the same on NumPy alone, as installed without a C compiler
	@env -u CHAINRULE_KERNELS PYTHONPATH="$(CURDIR)/$(NUMPY_ALONE)" $(TESTS)

test-lowest: .venv/.lowest  ## the tests on the lowest versions that pyproject.toml states
	@$(LOWEST) -m pytest $(ONLY) $(SIDE_BY_SIDE) -W ignore::DeprecationWarning

test-newest: .venv/.newest test  ## the tests after an update of all that is installed

test-all: .venv/.all .venv/.newest .venv/.installed  ## the site; longer proofs, fuzzers and MLflow, on the newest versions; NumPy alone; the lowest versions
	@$(MAKE) docs
	@$(TESTS) --cov benchmarks/tests -m "slow or not slow" --hypothesis-profile thorough
	@$(MAKE) test-numpy
	@if $(IS_LOWEST); then $(MAKE) test-lowest; else echo "$(NEEDS_LOWEST)"; fi

fuzz: .venv/.dev .venv/.installed  ## the fuzzers in full; SEED=7 for other cases
	@$(PY) -m pytest tests/fuzz $(SIDE_BY_SIDE) -m "slow or not slow" --hypothesis-profile thorough --seed $(SEED)

lint: .venv/.dev  ## ruff, mypy --strict and the form of public docstrings
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy --strict
	@CHAINRULE_KERNELS=numpy PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=src $(PY) .ci/docstrings.py

bench: .venv/.bench .venv/.installed  ## compare our speed with that of the libraries that are installed
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(PY) -m benchmarks $(ARGS) --out benchmarks/results

bench-peers: .venv/.peers  ## install the libraries to compare with, gigabytes: PyTorch, JAX, ONNX Runtime

clean:  ## remove all that these commands made
	rm -rf .venv demo site docs/reference build dist src/chainrule.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What a build needs. Without Cython the install still works, on NumPy alone.
.venv/.made: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("chainrule needs Python >= 3.11: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv
	@$(PIP) 'setuptools>=77' 'pip>=25.1'
	@$(PIP) 'cython>=3.1' 'numpy>=2.0' || echo "Going on without compiled kernels"
	@touch $@

# The project itself, alone: again when a source changes.
.venv/.installed: .venv/.made $(SOURCES)
	@echo "Installing chainrule"
	@$(TIDY)
	@$(PY) -m pip install --disable-pip-version-check --verbose --no-build-isolation --no-deps --force-reinstall . \
		>.venv/install.log 2>&1 || { cat .venv/install.log; exit 1; }
	@sed -n 's/^ *\(chainrule: .*\)/\1/p' .venv/install.log
	@$(TIDY)
	@touch $@

# The same without compiled kernels, beside it.
.venv/.numpy: .venv/.made $(SOURCES)
	@$(TIDY)
	@rm -rf $(NUMPY_ALONE)
	@CHAINRULE_BUILD_KERNELS=0 $(PIP) --no-build-isolation --no-deps --target $(NUMPY_ALONE) .
	@$(TIDY)
	@touch $@

# Never what an index may have under our name.
OURSELVES = "chainrule==$$($(PY) -c 'from importlib.metadata import version; print(version("chainrule"))')"

# What it needs beside NumPy: once, and again when pyproject.toml changes.
.venv/.demo: NEEDS := "chainrule[sklearn,plots]"
.venv/.dev: NEEDS := --group dev
.venv/.docs: NEEDS := --group docs
.venv/.all: NEEDS := --group docs --group works-with "chainrule[mlflow]"
# PyTorch and JAX are timed where they are installed; `make bench` does not fetch their gigabytes.
.venv/.bench: NEEDS := "chainrule[sklearn]"
.venv/.peers: NEEDS := --group bench
.venv/.demo .venv/.dev .venv/.docs .venv/.all .venv/.bench .venv/.peers: pyproject.toml | .venv/.installed
	@echo Installing $(NEEDS)
	@$(PIP) $(NEEDS) $(OURSELVES)
	@touch $@

.venv/.newest: .venv/.dev
	@echo Updating
	@$(PIP) --upgrade --upgrade-strategy eager --group dev $(OURSELVES)

# What a page printed is kept until its code changes, or the library, or what draws the figures.
$(DOCS)/.fresh: .venv/.installed .venv/.docs docs/conf.py $(wildcard docs/_ext/* docs/learn/figures/*.py)
	@rm -rf $(DOCS)/cache $(DOCS)/doctrees $(DOCS)/notebooks
	@mkdir -p $(DOCS)
	@touch $@

# MathJax, for the formulas, is one file of the site.
$(DOCS)/static/tex-svg.js:
	@command -v npm >/dev/null || { echo "make docs needs npm, which comes with Node.js: it fetches MathJax for the formulas"; exit 1; }
	@mkdir -p $(DOCS)/static
	@cd $(DOCS) && npm pack --silent $(MATHJAX) >/dev/null && tar -xzf mathjax-*.tgz && rm mathjax-*.tgz
	@cp $(DOCS)/package/es5/tex-svg.js $@

LOWEST_PIP := $(LOWEST) -m pip install --quiet --disable-pip-version-check
IS_LOWEST := $(PY) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'
NEEDS_LOWEST := The lowest versions are tested on the lowest Python: make test-lowest PYTHON=python3.11, in another clone
# The same wheel in an environment of its own, with the lowest versions.
.venv/.lowest: .venv/.made $(SOURCES) .ci/lowest.py
	@$(IS_LOWEST) || { echo "$(NEEDS_LOWEST)"; exit 1; }
	@echo "Installing the lowest versions"
	@$(PYTHON) -m venv .venv/lowest
	@$(PY) .ci/lowest.py >.venv/lowest/constraints.txt
	@$(TIDY)
	@rm -f .venv/lowest/*.whl
	@$(PY) -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir .venv/lowest .
	@$(TIDY)
	@$(LOWEST_PIP) 'pip>=25.1'
	@$(LOWEST_PIP) --force-reinstall --no-deps .venv/lowest/*.whl
	@$(LOWEST_PIP) --constraint .venv/lowest/constraints.txt --group test .venv/lowest/*.whl
	@touch $@

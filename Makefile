# One word a task. Each makes its own .venv on first use; say `make PYTHON=python3.12 test` to choose the Python.
# What is tested is the wheel, built from src/ and installed, never the source tree itself.

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# setuptools would pack what an earlier build left behind; the objects of the kernels may stay, and save time.
TIDY := rm -rf build/lib* build/bdist* src/chainrule.egg-info
SOURCES := pyproject.toml setup.py $(shell find src/chainrule -name __pycache__ -prune -o -name '*.so' -o \
	\( -type d -o -name '[a-z_]*.*' \) -print)
TESTS := $(PY) -m pytest tests --doctest-modules --pyargs chainrule --cov
NUMPY_ALONE := .venv/numpy/site-packages

unexport PYTHONPATH
.NOTPARALLEL:
.PHONY: help demo test test-numpy test-all lint bench bench-peers clean

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1	\2/p' Makefile | expand -t 18

demo: .venv/.demo .venv/.installed  ## train on 1,797 real handwritten digits; the results are in ./demo
	@.venv/bin/chainrule train digits --out demo

test: .venv/.dev .venv/.installed  ## every test and docstring example, with branch coverage
	@$(TESTS)

test-numpy: .venv/.dev .venv/.numpy  ## the same on NumPy alone, as installed without a C compiler; no coverage
	@env -u CHAINRULE_KERNELS PYTHONPATH="$(CURDIR)/$(NUMPY_ALONE)" $(TESTS) --no-cov

test-all: .venv/.all .venv/.installed  ## the same, the longer proofs, and MLflow
	@$(TESTS) -m "slow or not slow"

lint: .venv/.dev  ## ruff and mypy --strict
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy --strict

bench: .venv/.bench .venv/.installed  ## compare our speed with that of the libraries that are installed
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(PY) -m benchmarks $(ARGS) --out benchmarks/results

bench-peers: .venv/.peers  ## install the libraries to compare with, gigabytes: PyTorch, JAX, ONNX Runtime

clean:  ## remove all that these commands made
	rm -rf .venv demo build dist src/chainrule.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What a build needs. Without Cython the install still works, on NumPy alone.
.venv/.made: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("chainrule needs Python >= 3.11: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv
	@$(PIP) 'setuptools>=77'
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

# What it needs beside NumPy: once, and again when pyproject.toml changes.
.venv/.demo: EXTRAS := sklearn,plots
.venv/.dev: EXTRAS := dev
.venv/.all: EXTRAS := dev,mlflow
# PyTorch and JAX are timed where they are installed; `make bench` does not fetch their gigabytes.
.venv/.bench: EXTRAS := sklearn
.venv/.peers: EXTRAS := bench
.venv/.demo .venv/.dev .venv/.all .venv/.bench .venv/.peers: pyproject.toml | .venv/.installed
	@echo "Installing what chainrule[$(EXTRAS)] needs"
	@$(PIP) "chainrule[$(EXTRAS)]==$$($(PY) -c 'from importlib.metadata import version; print(version("chainrule"))')"
	@touch $@

# Needs Python 3.11 or newer, git and make; everything else comes from PyPI into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PYTHONDONTWRITEBYTECODE ?=

.PHONY: help setup clients demo test labgrid check lint-c format golden schema bench bench-check bench-tflm quantization zoo forecast-errors coverage fuzz soak mutation ds2 clean

help:
	@echo "make demo    from the bundled ECG model to a signed report, on an emulated Cortex-M4"
	@echo "make test    all tests (those that need QEMU, an Arm GCC, Chromium or recordings skip where absent), and out/trace:"
	@echo "             hazards, requirements, tests and results; it fails where one has no other end"
	@echo "make check   ruff, mypy --strict, import-linter"
	@echo "make lint-c  the C: MISRA C:2012, clang-tidy, gcc -fanalyzer, coverage of runtime/, stack of every kernel"
	@echo "make golden  write the golden files again; read the diff"
	@echo "make fuzz    the fuzz and property tests for long; make mutation: every mistake put in on purpose"
	@echo "make forecast-errors  how far off latency forecasts were on published figures, by core"
	@echo "make coverage how often each interval holds the true value, simulated; written into docs/manual/statistics.md"
	@echo "make labgrid a project that installs the wheel, and two boards through labgrid's coordinator and exporter"
	@echo "make soak    100,000 inferences over a line that corrupts one byte in a thousand (SOAK_FAULTS, SOAK_MODEL)"
	@echo "make ds2     the evidence at full size: all of MIT-BIH DS2 over the link, every stress condition, twice from scratch,"
	@echo "             and the change to 16x8; half an hour; needs LEADWIRE_DATA"
	@echo "make bench   the engine on the reference models, written to benchmarks/RESULTS.md; make bench-check fails on +1 %"
	@echo "make zoo     every architecture of the zoo on the emulated board, written to docs/manual/zoo.md"
	@echo "make bench-tflm  both backends beside each other; needs LEADWIRE_TFLM"
	@echo "make quantization  every mode, calibrator and repair on the patients of DS2; needs LEADWIRE_DATA"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; run make PYTHON=python3.11 (or newer)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "error: no venv module; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

# Programs of others that tests set against ours; in an environment of their own, whose versions are theirs.
clients: $(VENV)/clients/.installed

$(VENV)/clients/.installed: $(VENV)/.installed
	$(BIN)/python -m venv $(VENV)/clients
	$(VENV)/clients/bin/python -m pip install --quiet --disable-pip-version-check "smpmgr>=0.19,<0.20"
	@touch $@

demo: setup
	env -u LEADWIRE_DATA $(BIN)/leadwire run examples/arrhythmia/leadwire.toml --output out/demo

test: setup
	@mkdir -p out
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --junitxml out/tests.xml
	@$(BIN)/leadwire trace --results out/tests.xml --out out/trace >out/trace.txt

labgrid: setup
	LEADWIRE_LABGRID=1 $(BIN)/python -m pytest -q tests/separate

check: setup
	$(BIN)/ruff check sdk tests examples benchmarks validation
	$(BIN)/ruff format --check sdk tests examples benchmarks validation
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-c: setup
	LEADWIRE_LINT_C=whole $(BIN)/python -m pytest -q -n $(WORKERS) tests/c_quality

format: setup
	$(BIN)/ruff check --fix sdk tests examples benchmarks validation
	$(BIN)/ruff format sdk tests examples benchmarks validation

golden: setup
	LEADWIRE_GOLDEN=write $(BIN)/python -m pytest -q tests/golden tests/c_quality/test_stack_of_kernels.py
	@$(MAKE) --no-print-directory schema
	$(BIN)/python -m leadwire.qualify
	@git --no-pager diff --stat

# The schema of evidence.json, and its digest in the verifier that accepts no other.
schema: setup
	$(BIN)/python -c 'from leadwire.evidence.document import schema_text; print(schema_text(), end="")' \
	  > validation/evidence.schema.json
	sed -i.before "s/^SCHEMA_SHA256 = .*/SCHEMA_SHA256 = \"$$($(BIN)/python -c 'import hashlib, pathlib; \
	  print(hashlib.sha256(pathlib.Path("validation/evidence.schema.json").read_bytes()).hexdigest())')\"/" validation/verify.py
	@rm validation/verify.py.before

fuzz: setup
	LEADWIRE_BUNDLE_MUTATIONS=1000 LEADWIRE_FUZZ_EXAMPLES=20000 LEADWIRE_LINK_FUZZ_SECONDS=600 LEADWIRE_KERNEL_EXAMPLES=100 LEADWIRE_PLAN_EXAMPLES=500 $(BIN)/python -m pytest -n $(WORKERS) tests/fuzz tests/property

SOAK_MODEL ?= $(LEADWIRE_DATA)/models/ecg_cnn_int8.tflite
SOAK_INFERENCES ?= 100000
SOAK_FAULTS ?= corrupt

soak: setup
	$(BIN)/leadwire soak $(SOAK_MODEL) -n $(SOAK_INFERENCES) --faults $(SOAK_FAULTS) --journal out/soak.journal

mutation: setup
	LEADWIRE_MUTATIONS=all $(BIN)/python -m pytest -q tests/mutation

ds2: setup
	LEADWIRE_WHOLE_DS2=$(CURDIR)/out/whole-ds2 $(BIN)/python -m pytest -s -v tests/realdata/test_whole_ds2.py

forecast-errors: setup
	$(BIN)/leadwire forecast --errors

coverage: setup
	$(BIN)/python benchmarks/coverage.py

bench-check: setup
	$(BIN)/python benchmarks/models.py --check

bench: setup
	$(BIN)/python benchmarks/models.py

quantization: setup
	$(BIN)/python benchmarks/quantization.py

zoo: setup
	$(BIN)/python benchmarks/zoo.py
	LEADWIRE_ZOO=all $(BIN)/python -m pytest -q tests/emulated/test_zoo.py

bench-tflm: setup
	$(BIN)/python benchmarks/tflm.py

clean:
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache

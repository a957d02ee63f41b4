# Two commands are all a newcomer needs: `make serve`, `make test`.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help serve vendor kernels bundle precache check test coverage bench bench-gpu soak site clean setup prepared testers federation package release-check docs

PORT ?= 8000
PYTHON ?= python3
PY := .venv/bin/python

help:  ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*##/  make \1\t/' | expand -t 16

serve: precache  ## set everything up, then serve http://localhost:8000 (PORT=... overrides)
	@$(PY) -m tools.serve --port $(PORT)

federation: precache  ## a Flower federation on this machine that browsers join; LAN=1: for other machines too, by https
	@$(PYTHON) tools/environment.py federation
	@PYTHONPATH=py $(PY) -m tools.federation $(if $(LAN),--lan) --port $(if $(filter 8000,$(PORT)),8001,$(PORT))

setup:
	@$(PYTHON) tools/environment.py serve

vendor: setup  ## fetch the runtimes and the data into static/vendor/, checked by sha256
	@$(PY) -m tools.vendor

kernels: vendor  ## compile the kernels to WebAssembly and to a native library
	@PYTHONPATH=py $(PY) -m tools.build_kernels

bundle: vendor  ## pack the page's Python, compiled for the worker, one request each
	@$(PY) -m tools.bundle

precache: kernels bundle  ## list the site's files for the service worker
	@$(PY) -m tools.precache

site: precache  ## write dist/, ready to upload to any static host, and its size (DATA=fashion: with Fashion-MNIST)
	@$(PY) -m tools.site --address "$(ADDRESS)" --data "$(DATA)"

test: prepared  ## install what tests need, then run every check and every test
	@$(PY) -m tools.check

# Once the runtimes are there, compiling and installing go on side by side.
prepared:
	@$(PYTHON) tools/environment.py vendor
	@$(PY) -m tools.vendor
	@$(MAKE) --no-print-directory -j2 precache testers

check: prepared  ## lint, types, import contracts, and the unit tests of what changed: within a minute
	@$(PY) -m tools.lint

coverage: prepared  ## how much of py/farcall and py/nn the unit tests run on CPython; fails below the floor
	@PYTHONPATH=py $(PY) -m coverage run -m pytest -q -p no:cacheprovider tests/unit/farcall tests/unit/nn tests/conformance/test_in_memory.py
	@$(PY) -m coverage report

testers:
	@$(PYTHON) tools/environment.py test
	@$(PY) -m tools.browser
	@$(PY) -m tools.photographs

bench: precache  ## measure against the peers, write build/bench.json
	@$(PYTHON) tools/environment.py bench
	@$(PY) -m tools.browser
	@PYTHONPATH=py $(PY) -m tests.bench

bench-gpu: precache  ## measure training on this machine's GPU against the peers (no browser; CUDA=python with PyTorch)
	@$(PYTHON) tools/environment.py bench
	@PYTHONPATH=py $(PY) -m tests.bench.gpu.pack
	@$(or $(CUDA),$(PY)) build/bench-gpu/rows.py

soak: precache  ## what takes long, all or ONLY=rpc|mpy|py|io|gpu|applications|federation|team|page|tests, for MINUTES=n below 120 (ONLY=help says more)
	@$(PYTHON) tools/environment.py test
	@$(PY) -m tools.browser
	@PYTHONPATH=py $(PY) -m tests.soak $(if $(filter help,$(ONLY)),--help,$(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES)))

docs: precache  ## write dist/ with the documents as a site in dist/docs, and a reference of every public name
	@$(PYTHON) tools/environment.py docs
	@PYTHONPATH=py NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build -q -f tools/docs/mkdocs.yml
	@$(PY) -m tools.site --docs --address "$(ADDRESS)"

package: kernels bundle  ## build what people install: wheel, sdist, farcall.zip, nn.zip, into build/package
	@$(PYTHON) tools/environment.py package
	@$(PY) -m tools.package

release-check: prepared package docs  ## install the packages in fresh environments and run a program with each; open the documents' examples
	@PYTHONPATH=py $(PY) -m pytest -q -p no:cacheprovider tests/release

clean:  ## remove everything that was fetched or built
	rm -rf .venv node_modules tests/bench/node_modules build dist static/vendor .pytest_cache .mypy_cache .ruff_cache \
	    .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

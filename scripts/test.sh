#!/usr/bin/env bash
# All checks: format, lint, types, import rules, tests. Installs into .venv what they need.
# Options are passed on to pytest, for example: scripts/test.sh -k reuse
# Tests on real records run where WA_BENCH_MIRROR names a folder that holds them, and say so where they skip.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=2 OMP_WAIT_POLICY=PASSIVE

install_into_venv all dev
say "Format and lint"
.venv/bin/ruff format --check .
.venv/bin/ruff check .
say "Types"
.venv/bin/mypy
say "Import rules"
.venv/bin/lint-imports
say "Tests"
.venv/bin/python -m pytest "$@"

#!/usr/bin/env bash
# The tests on the oldest versions that pyproject.toml admits, in a virtual environment of their own (.venv-lowest).
# Options are passed on to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=2 OMP_WAIT_POLICY=PASSIVE

say "Installing the oldest admitted versions into .venv-lowest"
[ -x .venv-lowest/bin/python ] || "$(find_python)" -m venv .venv-lowest
.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct \
  --constraint constraints.txt --editable '.[all]' --group test
say "Tests"
.venv-lowest/bin/python -m pytest --ignore tests/test_readme.py "$@"

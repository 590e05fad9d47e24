#!/usr/bin/env bash
# From a fresh clone to a ranked leaderboard site: installs into .venv and runs `wa-bench demo`.
# Safe to run twice. Options are passed on, for example: scripts/quickstart.sh --out somewhere
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

install_into_venv surrogates,plots
say "Training and ranking the reference surrogates on the embedded opensynth track"
.venv/bin/wa-bench demo "$@"

#!/usr/bin/env bash
# An environment of its own for rule4ml (GPL-3.0; brings TensorFlow and PyTorch, some gigabytes): make_environment.sh FOLDER
set -euo pipefail
folder=${1:?usage: make_environment.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/pip" install --quiet --requirement "$here/requirements.txt"
echo "now run: $folder/bin/python $here/predict.py RECORDS.json --out predictions.csv"

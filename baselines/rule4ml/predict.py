"""Predict wa-hls4ml records with the released networks of rule4ml: a file that wa-bench can score.

    predict.py test/*.json exemplar/exemplar_models.json --out predictions.csv

Records are read as rule4ml reads them, by its own functions, from files in the layout of wa-hls4ml; their reports are
not looked at. Runs in the environment that make_environment.sh makes, and needs nothing of wa-bench. A record that
rule4ml does not take (another part, another kind of layer) has no row, and is named on standard error.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
COLUMNS = {
    "bram": "BRAM",
    "dsp": "DSP",
    "ff": "FF",
    "lut": "LUT",
    "cycles_max": "CYCLES",
    "interval_max": "INTERVAL",
}
"""Columns that are written, and rule4ml's name of each network. Its cycles are the mean of least and most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="+", help="JSON files of records")
    parser.add_argument("--out", type=Path, required=True, help="the .csv file to write")
    parser.add_argument("--networks", choices=("gnn", "mlp"), default="gnn", help="gnn: the package's default")
    arguments = parser.parse_args()
    networks = {column: network(arguments.networks, name) for column, name in COLUMNS.items()}
    records = [record for file in arguments.records for record in json.loads(file.read_text())]
    rows, refused = [], 0
    for record in records:
        name = sample_id(record)
        try:
            rows.append({"sample_id": name, **predicted(record, networks)})
        except (KeyError, ValueError) as error:
            refused += 1
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    with arguments.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["sample_id", *COLUMNS])
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {len(rows)} predictions to {arguments.out}; {refused} records refused")


def network(kind: str, name: str) -> Any:
    """One of the released networks, with its weights."""
    import torch_geometric  # noqa: F401 (first: loaded after TensorFlow, PyTorch stops over a second LLVM)
    from rule4ml.models.wrappers import KerasModelWrapper, TorchModelWrapper

    weights = Path(find_spec("rule4ml").origin).parent / "models" / "weights" / "v2" / kind
    wrapper, ending = {"gnn": (TorchModelWrapper(), "pt"), "mlp": (KerasModelWrapper(), "h5")}[kind]
    wrapper.load(str(weights / f"{name}.config.json"), str(weights / f"{name}.weights.{ending}"))
    return wrapper


def predicted(record: dict[str, Any], networks: dict[str, Any]) -> dict[str, float]:
    """The figures of one record, by column."""
    from rule4ml.parsers.data_parser import get_global_inputs, get_layers_data, to_dataframe
    from rule4ml.parsers.utils import get_board_from_part

    settings = {**record["hls_config"], "board": get_board_from_part(record["target_part"])}
    versions = {
        "hls4ml_version": record["hls4ml_version"],
        "vivado_version": record.get("vivado_version") or record["backend_version"],
    }
    figures = {}
    for column, wrapper in networks.items():
        inputs = to_dataframe(
            meta_data=[],
            global_inputs=[get_global_inputs(record["model_config"], settings, **versions)],
            sequential_inputs=[get_layers_data(record["model_config"])],
            global_categorical_maps=wrapper.global_categorical_maps,
            sequential_categorical_maps=wrapper.sequential_categorical_maps,
            targets=[],
        )
        figures[column] = float(wrapper.predict_from_df(inputs)[0][0])
    return figures


def sample_id(record: dict[str, Any]) -> str:
    """The record's identifier: its family's name for it."""
    about: dict[str, str] = record["meta_data"]
    return about["model_id"] if "model_id" in about else about["uuid"]


if __name__ == "__main__":
    main()

"""Measure training and prediction of the neural surrogates and of trees at full scale, on a replica of wa-hls4ml.

    python scripts/make_replica.py /tmp/replica --only test exemplar
    python scripts/bench_train.py /tmp/replica
    python scripts/bench_train.py /tmp/replica --surrogate gnn --designs 20000 --json bench.json

One epoch of each surrogate over the designs of a split, after a short one to warm up, and the prediction of some. Each
surrogate has a process of its own. CPU seconds are user and system time of one thread. ``arrays`` are made from the
store once a training; ``at full scale`` is the epoch, extrapolated to the training designs of the dataset by their
number; ``batches`` is the share of the epoch that goes into making batches, as taken in a pass that does nothing else;
prediction goes from records in the store to figures. Peak memory is resident, interpreter and packages included. The
networks of the paper are measured on few designs. Figures are for the machine; trust ratios, not third digits.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "POLARS_MAX_THREADS": "1",
}
TRAINING_DESIGNS = 434_000
"""Of wa-hls4ml, with post-synthesis truth."""
SURROGATES = ("gnn", "transformer", "trees", "gnn-paper", "transformer-paper")
FEW = {"gnn-paper": 2048, "transformer-paper": 8192}
PREDICTED = 50_000
BATCH = 1024
WARM_UP = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("replica", type=Path)
    parser.add_argument("--split", default="test", help="split to train on (default: test)")
    parser.add_argument("--surrogate", action="append", choices=SURROGATES, help="only this one; may be given again")
    parser.add_argument("--designs", type=int, help="at most so many designs")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measured(arguments.child, arguments.replica, arguments.split, arguments.designs)))
        return
    found = []
    for name in arguments.surrogate or SURROGATES:
        command = [sys.executable, __file__, *sys.argv[1:], "--child", name]
        child = subprocess.run(command, env={**os.environ, **SETTINGS}, stdout=subprocess.PIPE, check=True)
        found.append(json.loads(child.stdout))
        print(", ".join(f"{key} {value}" for key, value in found[-1].items()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def measured(name: str, replica: Path, split: str, most: int | None) -> dict[str, float | str]:
    """The figures of one surrogate."""
    import polars as pl

    import wa_bench as wb

    data = wb.load("hls4ml", split, source=replica)
    ids = data.truth().get_column("sample_id").unique(maintain_order=True).shuffle(seed=0)
    count = min(most or len(ids), FEW.get(name, len(ids)), len(ids))
    some = data.select(pl.col("sample_id").is_in(ids.head(count).implode()))
    few = data.select(pl.col("sample_id").is_in(ids.head(min(count, WARM_UP)).implode()))
    figures = trees(some) if name == "trees" else network(name, some, few)
    predicted = data.select(pl.col("sample_id").is_in(ids.head(min(count, PREDICTED)).implode()))
    model = wb.surrogate(name, **({"iterations": 300} if name == "trees" else {"epochs": 1})).fit(few)
    model.predict(few)
    started = time.process_time()
    answers = model.predict(predicted).frame().height
    figures["designs predicted a CPU second"] = round(answers / (time.process_time() - started))
    figures["peak MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
    return {"surrogate": name, "designs": count, **figures}


def trees(some: object) -> dict[str, float]:
    """Fit; it has no epochs."""
    import wa_bench as wb

    started = time.process_time()
    wb.surrogate("trees").fit(some)
    return {"fit CPU s": round(time.process_time() - started, 2)}


def network(name: str, some: object, few: object) -> dict[str, float]:
    """Arrays, one epoch, and batches alone."""
    import numpy as np
    import torch

    import wa_bench as wb
    from wa_bench.surrogates.inputs import Inputs, read
    from wa_bench.surrogates.training import Shape, batches, learn, seeded

    model = wb.surrogate(name, epochs=1, batch_size=BATCH)
    device = torch.device("cpu")
    targets = some.track.target_names

    def epoch(inputs: Inputs) -> float:
        shape = Shape(inputs.layers.shape[1], model.view.code_sizes, inputs.designs.shape[1], targets)
        network = seeded(0, lambda: model._network(shape))
        started = time.process_time()
        learn(network, inputs, None, model.recipe(len(inputs)), device=device, title=name)
        return time.process_time() - started

    torch.set_num_threads(1)
    epoch(read(few, model.view))
    started = time.process_time()
    inputs = read(some, model.view)
    arrays = time.process_time() - started
    started = time.process_time()
    for _ in batches(inputs, np.random.default_rng(0).permutation(len(inputs)), BATCH, device):
        pass
    making = time.process_time() - started
    trained = epoch(inputs)
    return {
        "arrays CPU s": round(arrays, 2),
        "epoch CPU s": round(trained, 2),
        "at full scale CPU s": round(trained / len(inputs) * TRAINING_DESIGNS, 1),
        "batches %": round(100 * making / trained, 1),
    }


if __name__ == "__main__":
    main()

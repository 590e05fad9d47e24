"""Training of neural surrogates: batches from arrays, schedules, checkpoints, resume.

Every random choice of an epoch follows from the seed and the number of the epoch, and the learning rate from the steps
and errors so far. So a training that goes on from a checkpoint ends with the weights of one that was not interrupted,
on the CPU to the last bit.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from math import cos, inf, isfinite, pi
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wa_bench.data.batches import gathered, in_batches
from wa_bench.data.encoding import Indices
from wa_bench.errors import DataError, Fault, needs_extra
from wa_bench.surrogates.arrays import Arrays, read_arrays, write_arrays
from wa_bench.surrogates.estimator import CHECKPOINT_FILE
from wa_bench.surrogates.inputs import Inputs

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn

Schedule = Literal["one-cycle", "plateau", "constant"]

_WARM_UP = 0.2
"""Share of the steps in which a one-cycle schedule rises."""
_PLATEAU = 8
"""Epochs without a better error after which a plateau schedule halves the rate."""
_EVALUATED = 4096
"""Designs a batch where no gradient is needed."""


class Batch(NamedTuple):
    """Designs as tensors, their layers one after another.

    Attributes:
        layers: (layers, numbers of a layer).
        codes: (layers, categories of a layer).
        owner: (layers,) design of each layer, counted in the batch.
        place: (layers,) index of each layer in its design.
        edges: (2, edges) from and to, counted in the batch.
        designs: (designs, numbers of a design).
        baseline: (designs, targets) ``log1p`` of the analytic estimate, float64.
        exact: (designs, targets) whether it is said to be exact.
        y: (designs, targets) truth, float64.
    """

    layers: Tensor
    codes: Tensor
    owner: Tensor
    place: Tensor
    edges: Tensor
    designs: Tensor
    baseline: Tensor
    exact: Tensor
    y: Tensor


class Shape(msgspec.Struct, frozen=True):
    """Sizes that a network is built for: numbers and codes of a layer, numbers of a design, names of the targets."""

    layers: int
    code_sizes: tuple[int, ...]
    designs: int
    targets: tuple[str, ...]


class Network(nn.Module, ABC):
    """A network with all that it learned from the training set, scales and caps included, in its state."""

    @abstractmethod
    def prepare(self, train: Inputs) -> None:
        """Take scales and caps from the training set."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """What training makes small; the mean over the designs."""

    @abstractmethod
    def values(self, batch: Batch) -> Tensor:
        """Predictions (designs, targets), float64."""

    def error(self, batch: Batch) -> Tensor:
        """What is watched on the validation set: mean distance of ``log1p`` over designs and targets."""
        return (self.values(batch).log1p() - batch.y.log1p()).abs().mean()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train; see :class:`wa_bench.surrogates.neural.Neural` for what the fields mean."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    schedule: Schedule
    patience: int
    clip: float | None
    seed: int


class Epoch(msgspec.Struct, frozen=True):
    """One line of the history: mean loss of the training batches, error on validation (null without), learning rate."""

    epoch: int
    loss: float
    error: float | None
    learning_rate: float
    seconds: float


class _Progress(msgspec.Struct, frozen=True):
    """What a checkpoint says of itself."""

    training: str
    history: list[Epoch]


def batch_of(inputs: Inputs, rows: Indices, device: torch.device) -> Batch:
    """Some designs as a batch on a device."""
    layers, pointers = gathered(inputs.pointers, rows)
    edges, edge_pointers = gathered(inputs.edge_pointers, rows)
    owner = np.repeat(np.arange(len(rows)), np.diff(pointers))
    arrays = {
        "layers": inputs.layers[layers],
        "codes": inputs.codes[layers].astype(np.int64),
        "owner": owner,
        "place": np.arange(len(layers)) - pointers[owner],
        "edges": inputs.edges[:, edges] + np.repeat(pointers[:-1], np.diff(edge_pointers)),
        "designs": inputs.designs[rows],
        "baseline": inputs.baseline[rows],
        "exact": inputs.exact[rows],
        "y": inputs.targets[rows],
    }
    return Batch(**{name: torch.from_numpy(array).to(device) for name, array in arrays.items()})


def batches(inputs: Inputs, rows: Indices, size: int, device: torch.device) -> Iterator[Batch]:
    """``rows`` in batches."""
    return (batch_of(inputs, some, device) for some in in_batches(rows, size))


def pooled(layers: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Sum, mean and largest of each design's layers, (designs, width) each; zeros where it has none."""
    count, width = len(batch.designs), layers.shape[1]
    sums = layers.new_zeros(count, width).index_add(0, batch.owner, layers)
    sizes = torch.bincount(batch.owner, minlength=count).clamp(min=1).unsqueeze(1)
    owner = batch.owner.unsqueeze(1).expand(-1, width)
    largest = layers.new_zeros(count, width).scatter_reduce(0, owner, layers, "amax", include_self=False)
    return sums, sums / sizes, largest


class Sequences(NamedTuple):
    """Designs of about one length, as sequences of tokens: their own first, then their layers.

    Attributes:
        tokens: (designs, longest) index of each token among all: design ``i`` is token ``i``, layer ``j`` of the batch
            token ``designs of the batch + j``; zero where padded.
        present: (designs, longest) where tokens are.
    """

    tokens: Tensor
    present: Tensor


def sequences(batch: Batch) -> list[Sequences]:
    """A batch as sequences, each padded to a power of two at most, so that short ones do not wait for long ones."""
    count = len(batch.designs)
    lengths = 1 + torch.bincount(batch.owner, minlength=count)
    starts = count + lengths.sub(1).cumsum(0) - lengths + 1
    found = []
    for power in sorted(set(lengths.double().log2().ceil().int().tolist())):
        longest = 2**power
        chosen = ((lengths <= longest) & (lengths > longest // 2)).nonzero().squeeze(1)
        steps = torch.arange(longest, device=chosen.device)
        present = steps < lengths[chosen, None]
        tokens = torch.where(steps > 0, starts[chosen, None] + steps - 1, chosen[:, None])
        found.append(Sequences(torch.where(present, tokens, 0), present))
    return found


def device_named(name: str) -> torch.device:
    """The device of a name; ``auto`` is CUDA where present.

    Raises:
        DataError: torch knows no such device, or it is not here.
    """
    try:
        return torch.zeros(
            0, device=("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
        ).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            Fault("setting device", "auto, cpu, or a device that is here", f"{name!r} ({reason})")
        ) from None


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch with ``count`` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seeded(seed: int, build: Callable[[], Network]) -> Network:
    """A network whose first weights follow from the seed; torch's own random state stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def learn(
    network: Network,
    train: Inputs,
    val: Inputs | None,
    recipe: Recipe,
    *,
    device: torch.device,
    title: str,
    work: Path | None = None,
) -> list[Epoch]:
    """Train a fresh network in place and say how it went.

    With ``val``, training ends after ``patience`` epochs without a better error, and the weights are those of the best
    epoch; without, those of the last one.

    Args:
        network: fresh, from :func:`seeded`.
        train: designs to learn from.
        val: designs to watch.
        recipe: how to train.
        device: where to train; on CUDA in mixed precision.
        title: what the progress bar is called.
        work: folder of the checkpoint. One that is there is gone on from; it is written after each epoch, whole or
            not at all.

    Raises:
        DataError: the folder holds the checkpoint of another training, or the loss is no number.
    """
    network.prepare(train)
    network.to(device)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    run = _Run(network, optimizer, _identity(network, train, val, recipe))
    if work is not None and (work / CHECKPOINT_FILE).exists():
        run.restore(work / CHECKPOINT_FILE)
    steps = -(-len(train) // recipe.batch_size)
    with _bar(title, recipe.epochs, steps, len(run.history)) as tell:
        for epoch in range(len(run.history), recipe.epochs):
            if _stale(run.errors) >= recipe.patience and val is not None:
                break
            started = time.perf_counter()
            loss = _epoch(run, train, recipe, epoch, device, tell)
            error = None if val is None else _error(network, val, device)
            rate = optimizer.param_groups[0]["lr"]
            run.history.append(Epoch(epoch + 1, loss, error, rate, round(time.perf_counter() - started, 3)))
            if val is None or _stale(run.errors) == 0:
                run.keep()
            if work is not None:
                run.save(work / CHECKPOINT_FILE)
            tell(0, run.history[-1])
    network.load_state_dict(run.best)
    return run.history


class _Run:
    """Everything that a training changes."""

    def __init__(self, network: Network, optimizer: torch.optim.Optimizer, training: str) -> None:
        self.network = network
        self.optimizer = optimizer
        self.training = training
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.keep()

    @property
    def errors(self) -> list[float]:
        """What to watch: the errors on validation, else the losses."""
        return [line.loss if line.error is None else line.error for line in self.history]

    def keep(self) -> None:
        self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def save(self, file: Path) -> None:
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for place, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"moments.{place}.{name}": value for name, value in moments.items()}
        about = msgspec.json.encode(_Progress(self.training, self.history)).decode()
        write_arrays(file, to_arrays(tensors), about)

    def restore(self, file: Path) -> None:
        try:
            arrays, about = read_arrays(file)
            progress = msgspec.json.decode(about, type=_Progress)
        except (ValueError, msgspec.MsgspecError) as error:
            raise DataError(Fault(str(file), "a whole checkpoint", str(error), "remove it to start anew")) from None
        if progress.training != self.training:
            expected = "a checkpoint of this training: the same settings, data and version of torch"
            raise DataError(Fault(str(file), expected, "one of another", "remove it, or train into another folder"))
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "moments": {}}
        for name, value in to_tensors(arrays).items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["moments"].items():
            place, _, kind = name.partition(".")
            moments.setdefault(int(place), {})[kind] = value
        self.network.load_state_dict(parts["network"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.history, self.best = progress.history, parts["best"]


def to_arrays(tensors: Mapping[str, Tensor]) -> Arrays:
    """Tensors as arrays of numpy."""
    return {name: value.detach().cpu().contiguous().numpy() for name, value in tensors.items()}


def to_tensors(arrays: Arrays) -> dict[str, Tensor]:
    """Arrays of numpy as tensors."""
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def _epoch(
    run: _Run, train: Inputs, recipe: Recipe, epoch: int, device: torch.device, tell: Callable[[int], None]
) -> float:
    """One pass over the training set; the mean loss."""
    random = np.random.default_rng([recipe.seed, epoch])
    order = random.permutation(len(train))
    steps = -(-len(train) // recipe.batch_size)
    losses = torch.zeros((), device=device)
    run.network.train()
    with torch.random.fork_rng():
        torch.manual_seed(int(random.integers(2**63)))
        for step, batch in enumerate(batches(train, order, recipe.batch_size, device)):
            done = (epoch * steps + step) / (recipe.epochs * steps)
            for group in run.optimizer.param_groups:
                group["lr"] = recipe.learning_rate * _rate(recipe.schedule, done, run.errors)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = run.network.loss(batch)
            run.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if recipe.clip is not None:
                nn.utils.clip_grad_norm_(run.network.parameters(), recipe.clip)
            run.optimizer.step()
            losses += loss.detach() * len(batch.y)
            tell(1)
    mean = float(losses) / len(train)
    if not isfinite(mean):
        raise DataError(Fault(f"epoch {epoch + 1}", "a finite loss", f"{mean}", "lower the learning rate, or set clip"))
    return mean


@torch.no_grad()
def _error(network: Network, val: Inputs, device: torch.device) -> float:
    network.eval()
    parts = [
        float(network.error(batch)) * len(batch.y) for batch in batches(val, np.arange(len(val)), _EVALUATED, device)
    ]
    return sum(parts) / len(val)


@torch.no_grad()
def values(network: Network, inputs: Inputs, device: torch.device) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Predictions (designs, targets)."""
    network.to(device).eval()
    parts = [
        network.values(batch).cpu().numpy() for batch in batches(inputs, np.arange(len(inputs)), _EVALUATED, device)
    ]
    return np.concatenate(parts) if parts else np.empty(inputs.targets.shape)


def _rate(schedule: Schedule, done: float, errors: list[float]) -> float:
    """Factor of the learning rate where a share ``done`` of all steps is done."""
    if schedule == "constant":
        return 1.0
    if schedule == "plateau":
        return 0.5 ** _plateaus(errors)
    return done / _WARM_UP if done < _WARM_UP else 0.5 * (1 + cos(pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def _plateaus(errors: list[float]) -> int:
    best, waited, found = inf, 0, 0
    for error in errors:
        best, waited = (error, 0) if error < best else (best, waited + 1)
        if waited > _PLATEAU:
            waited, found = 0, found + 1
    return found


def _stale(errors: list[float]) -> int:
    """Epochs since the best error; 0 before the first."""
    return len(errors) - 1 - errors.index(min(errors)) if errors else 0


def _identity(network: Network, train: Inputs, val: Inputs | None, recipe: Recipe) -> str:
    """Hash of everything that the weights follow from: fresh network, designs, recipe, version of torch."""
    digest = sha256(json.dumps([str(recipe), str(network), torch.__version__]).encode())
    for value in network.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    for inputs in (train, val):
        if inputs is not None:
            for array in (inputs.pointers, inputs.layers, inputs.edges, inputs.designs, inputs.targets):
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@contextmanager
def _bar(title: str, epochs: int, steps: int, done: int) -> Iterator[Callable[..., None]]:
    """A bar on standard error, if that is a terminal; yields a function that is told of steps and of epochs."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=epochs * steps, completed=done * steps)

        def tell(advance: int, epoch: Epoch | None = None) -> None:
            bar.advance(task, advance)
            if epoch is not None:
                watched = "" if epoch.error is None else f", error on validation {epoch.error:.4f}"
                bar.update(task, description=f"{title}: epoch {epoch.epoch}, loss {epoch.loss:.4f}{watched}")

        yield tell

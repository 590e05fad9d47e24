"""One network over a grid of reuse factors and precisions: what each costs, what fits, and the Pareto fronts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from wa_bench.errors import Fault
from wa_bench.estimation.estimate import Estimate, known_parts, precision_text, read_precision
from wa_bench.estimation.intervals import with_intervals
from wa_bench.estimation.own import as_dataset
from wa_bench.networks.network import WEIGHTED, NetworkError
from wa_bench.networks.settings import ReuseFactor, Settings, design
from wa_bench.records.parts import find_part
from wa_bench.records.reuse import valid_reuse_factors
from wa_bench.records.schema import Design, Precision
from wa_bench.tracks.fpga import TARGETS

if TYPE_CHECKING:
    from rich.console import Group

_WIDTHS = (2, 4, 6, 8, 10, 12, 14, 16)
_MOST_REUSE_FACTORS = 24
_MOST_DESIGNS = 10_000
_RESOURCES = ("bram", "dsp", "ff", "lut")


@dataclass(frozen=True)
class Sweep:
    """Estimates over a grid.

    ``frame`` has one row a design: ``reuse_factor``, ``precision`` as text, each target with ``_low`` and ``_high``,
    ``utilization`` of the resource that is used most, which is ``bottleneck``, ``verdict``, and ``pareto``: whether no
    other design of the same precision is better in ``cycles_max`` or ``utilization`` and no worse in the other. There
    is a front for each precision, as what fewer bits cost in accuracy is not estimated. Fewer bits mostly cost less,
    not always: products too narrow for DSP blocks are built of LUTs.
    """

    base: Estimate
    frame: pl.DataFrame
    intervals: str

    @property
    def fronts(self) -> pl.DataFrame:
        """The rows on the Pareto fronts, precision by precision, fastest first."""
        return self.frame.filter("pareto").sort("width", "precision", "cycles_max", maintain_order=True)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values: the estimate that the grid was made of, and all rows."""
        rows = self.frame.drop("width").to_dicts()
        return {"estimate": self.base.to_dict(), "intervals": self.intervals, "designs": rows}

    def to_json(self) -> str:
        """``to_dict`` as JSON text."""
        return msgspec.json.encode(self.to_dict()).decode()

    def __rich__(self) -> Group:
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD)
        for heading in ("precision", "reuse", *(target.label for target in TARGETS), "most used", "verdict"):
            table.add_column(heading, no_wrap=True, justify="left" if heading in {"precision", "verdict"} else "right")
        for row in self.fronts.iter_rows(named=True):
            table.add_row(
                row["precision"],
                str(row["reuse_factor"]),
                *(f"{row[target.name]:,.0f}" for target in TARGETS),
                f"{row['bottleneck'].upper()} {row['utilization']:.1%}",
                row["verdict"],
            )
        fitting = self.frame.filter(pl.col("verdict") == "fits").height
        closing = (
            f"{self.frame.height} designs estimated; {fitting} fit {self.base.settings.part}, by their intervals. "
            "Shown are the Pareto fronts of cycles against the resource used most, one for each precision: what fewer "
            f"bits cost in accuracy is not estimated.\nIntervals: {self.intervals}."
        )
        return Group(Text(self.base.heading()), table, Text(closing))

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=120)
        with console.capture() as capture:
            console.print(self)
        return capture.get()


def sweep(
    base: Estimate,
    reuse_factors: Sequence[int] | None = None,
    precisions: Sequence[str | Precision] | None = None,
) -> Sweep:
    """The network of an estimate over a grid, with all other settings as they are, predicted in one batch.

    What is swept holds for every layer: reuse factors or types that the settings give single layers or kinds of layers
    give way. One value alone, that of the estimate itself, is no sweep: they stay.

    Args:
        base: the estimate.
        reuse_factors: those to ask for; where None, those that are valid for some layer, thinned to two dozen. Of
            several that come to the same in every layer the first is kept.
        precisions: default types to try; where None, widths from 2 to 16 with the integer bits in proportion. Types
            that the network itself tells stay.

    Raises:
        NetworkError: the part is not known, or a setting is at fault.
    """
    settings = base.settings
    part = find_part(settings.part)
    if part is None:
        raise NetworkError(Fault("setting part", f"a part whose capacities are known: {known_parts()}", settings.part))
    asked = default_reuse_factors(base) if reuse_factors is None else _checked(reuse_factors)
    types = default_precisions(settings.precision) if precisions is None else [*map(_type, precisions)]
    if len(asked) * len(types) > _MOST_DESIGNS:
        raise NetworkError(Fault("the grid", f"at most {_MOST_DESIGNS:,} designs", f"{len(asked) * len(types):,}"))
    if asked != [settings.reuse_factor]:
        settings = _without(settings, reuse_factor=None)
    if types != [settings.precision]:
        settings = _without(settings, types={})
    designs: list[Design] = []
    rows, seen = [], set()
    for precision, reuse_factor in product(dict.fromkeys(types), sorted(set(asked))):
        changed = msgspec.structs.replace(settings, reuse_factor=reuse_factor, precision=precision)
        made = design(base.network, changed, sample_id=str(len(designs)))
        built = (precision, *(layer.reuse_factor for layer in made.layers if layer.kind in WEIGHTED))
        if built not in seen:
            seen.add(built)
            designs.append(made)
            rows.append((made.sample_id, reuse_factor, precision_text(precision), precision.width))
    names = ["sample_id", "reuse_factor", "precision", "width"]
    estimates, source = with_intervals(base.estimator, as_dataset(designs), base.known)
    table = pl.DataFrame(rows, schema=names, orient="row").join(estimates, on="sample_id", maintain_order="left")
    shares = [pl.col(name) / getattr(part, name) for name in _RESOURCES]
    fits = pl.all_horizontal(pl.col(f"{name}_high") <= getattr(part, name) for name in _RESOURCES)
    beyond = pl.any_horizontal(pl.col(f"{name}_low") > getattr(part, name) for name in _RESOURCES)
    table = table.with_columns(
        pl.max_horizontal(shares).alias("utilization"),
        pl.concat_list(shares).list.arg_max().replace_strict(dict(enumerate(_RESOURCES))).alias("bottleneck"),
        pl.when(fits)
        .then(pl.lit("fits"))
        .when(beyond)
        .then(pl.lit("does not fit"))
        .otherwise(pl.lit("unsure"))
        .alias("verdict"),
    )
    return Sweep(base, table.with_columns(pareto=_pareto(table)).drop("sample_id"), source)


def _without(settings: Settings, **nothing: Any) -> Settings:
    """The settings without what they give single layers and kinds of layers of a field."""
    fields = ("by_kind", "by_name")
    kept = {
        name: {key: msgspec.structs.replace(own, **nothing) for key, own in getattr(settings, name).items()}
        for name in fields
    }
    return msgspec.structs.replace(settings, **kept)


def default_reuse_factors(base: Estimate) -> list[int]:
    """The reuse factors that are valid for some layer, thinned to about even steps of their logarithm.

    A design of the strategy distributed_arithmetic shares no multipliers: 1 alone.
    """
    if base.settings.strategy == "distributed_arithmetic":
        return [1]
    valid: set[int] = set()
    for layer in base.design.layers:
        if layer.kind in WEIGHTED:
            n_in = layer.params // (layer.units or 1) - bool(layer.use_bias)
            valid.update(valid_reuse_factors(n_in, layer.units or 1))
    ascending = np.array(sorted(valid))
    steps = np.geomspace(1, ascending[-1], _MOST_REUSE_FACTORS)
    nearest = np.abs(np.log(ascending[:, None] / steps)).argmin(axis=0)
    return [int(factor) for factor in ascending[np.unique(nearest)]]


def default_precisions(precision: Precision) -> list[Precision]:
    """The type in widths from 2 to 16, and its own, with the integer bits in proportion."""
    widths = sorted({*_WIDTHS, precision.width})
    return [
        msgspec.structs.replace(precision, width=width, integer=_integer_bits(width, precision)) for width in widths
    ]


def _integer_bits(width: int, precision: Precision) -> int:
    return precision.integer if width == precision.width else max(1, round(width * precision.integer / precision.width))


def _checked(reuse_factors: Sequence[int]) -> list[int]:
    try:
        return msgspec.convert(reuse_factors, list[ReuseFactor])
    except msgspec.ValidationError as error:
        raise NetworkError(Fault("the grid's reuse factors", str(error), ascii(reuse_factors)[:80])) from None


def _type(precision: str | Precision) -> Precision:
    return precision if isinstance(precision, Precision) else read_precision(precision, "the grid's precisions")


def _pareto(table: pl.DataFrame) -> pl.Series:
    """Whether no other row of the same precision has fewer cycles or a lower utilization and no more of the other.

    In the order of cycles, then utilization, a row is on the front if it lies below all before it.
    """
    ordered = table.with_row_index("row").sort("cycles_max", "utilization")
    lowest_before = pl.col("utilization").cum_min().shift(1).over("precision")
    front = lowest_before.is_null() | (pl.col("utilization") < lowest_before)
    return ordered.with_columns(front.alias("pareto")).sort("row").get_column("pareto")

"""Describe the shipped opensynth records: the tables of the data card and a picture of the distributions.

    python scripts/describe_opensynth.py

writes both into data_cards/. A test compares the tables with the records.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import wa_bench as wb
from wa_bench.files import replacing, write_text

CARDS = Path(__file__).parent.parent / "data_cards"
BEGIN, END = "<!-- counts: written by scripts/describe_opensynth.py -->", "<!-- end of counts -->"
FAMILIES = ("latency", "resource", "distributed", "branched", "conv1d", "conv2d", "exemplar")


def records() -> pl.DataFrame:
    """All shipped records, with the columns that the tables need."""
    frame = wb.load("opensynth", wb.track("opensynth").splits).frame().collect()
    made = pl.col("provenance").struct.field("synthesis").struct
    weighted = pl.col("layers").list.eval(pl.element().struct.field("weight").struct.field("width").drop_nulls())
    return frame.with_columns(
        weighted.list.first().alias("weight_bits"),
        weighted.list.len().alias("weighted_layers"),
        made.field("failure").alias("failure"),
        (made.field("netlist_vectors") > 0).alias("netlist_checked"),
    )


def tables(frame: pl.DataFrame) -> str:
    """Counts and ranges as Markdown."""
    splits = wb.track("opensynth").splits
    parts = [
        _table(
            ["split", "designs", *FAMILIES, "latency strategy", "architectures", "netlist simulated", "failed"],
            [_row(split, frame.filter(split=split)) for split in splits] + [_row("all", frame)],
        )
    ]
    bits = range(2, 17)
    counts = frame["weight_bits"].value_counts()
    by_bits = dict(zip(*(counts[column].to_list() for column in counts.columns), strict=True))
    parts.append(_table(["weight bits", *map(str, bits)], [["designs", *(by_bits.get(b, 0) for b in bits)]]))
    pairs = reuse_pairs(frame)
    lines = []
    for target in wb.track("opensynth").targets:
        column = pl.col(target.name)
        figures = frame.select(a=column.min(), b=column.median(), c=column.max()).row(0)
        changes = pairs.select(fall=(column < 0).mean(), rise=(column > 0).mean()).row(0)
        lines.append([target.label, *(f"{value:,g}" for value in figures), *(f"{share:.1%}" for share in changes)])
    parts.append(_table(["target", "smallest", "median", "largest", "falls with reuse", "rises with reuse"], lines))
    parts.append(
        f"The last two columns are shares of {pairs.height} pairs of records: a setting of an exemplar model, and the\n"
        "one with the next larger reuse factor and the same bits."
    )
    return "\n\n".join(parts)


def reuse_pairs(frame: pl.DataFrame) -> pl.DataFrame:
    """Change of each target from a record to that with the next larger reuse factor, all else being equal."""
    targets = pl.col(wb.track("opensynth").target_names)
    alike = ["model_name", "weight_bits"]
    settings = frame.filter(family="exemplar", strategy="resource").sort(*alike, "reuse_factor")
    return settings.select(targets.diff().over(alike)).drop_nulls()


def _row(name: str, frame: pl.DataFrame) -> list[object]:
    return [
        name,
        frame.height,
        *(frame.filter(family=family).height for family in FAMILIES),
        frame.filter(strategy="latency").height,
        frame["model_name"].n_unique(),
        frame["netlist_checked"].sum(),
        frame["failure"].count(),
    ]


def _table(head: list[str], rows: list[list[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def picture(frame: pl.DataFrame, path: Path) -> None:
    """Distributions of the targets by family, and of the settings."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(14, 6), layout="constrained")
    panels = [*((t.name, t.label, True) for t in wb.track("opensynth").targets)]
    panels += [("weight_bits", "weight bits", False), ("weighted_layers", "layers with weights", False)]
    for axis, (column, label, logarithmic) in zip(axes.flat, panels, strict=True):
        values = [frame.filter(family=family)[column].drop_nulls().to_numpy() for family in FAMILIES]
        if logarithmic:
            top = max(v.max() for v in values if len(v))
            edges = [-0.5, 0.5, *(10 ** (k / 4) for k in range(100) if 10 ** (k / 4) < top * 1.8)]
            axis.set_xscale("symlog", linthresh=1)
        else:
            edges = [x - 0.5 for x in range(1, 18)]
        axis.hist(values, bins=edges, stacked=True, label=FAMILIES)
        axis.set_xlabel(label)
    axes[0, 0].set_ylabel("designs")
    axes[1, 0].set_ylabel("designs")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(FAMILIES))
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    frame = records()
    card = CARDS / "opensynth.md"
    before, rest = card.read_text().split(BEGIN)
    after = rest.split(END)[1]
    write_text(card, f"{before}{BEGIN}\n\n{tables(frame)}\n\n{END}{after}")
    picture(frame, CARDS / "opensynth.png")
    print(tables(frame))


if __name__ == "__main__":
    main()

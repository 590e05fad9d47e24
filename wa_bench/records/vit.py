"""A run of an image model: what ran on what, and the time, memory and accuracy that came of it.

``VitRun`` is the one definition; columns, units and descriptions follow from it. What was not measured is null, never
zero. Rules that hold for every source stand below it: ``family_of`` reads the family from a model's name,
``device_name`` spells a device one way, ``complete`` adds families, equal networks and splits.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
import polars as pl

from wa_bench.records.columns import arrow_schema, note
from wa_bench.records.holdout import components, split_by


class VitRun(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run. Fields from ``params`` on are figures, those before say what was run.

    ``macs_convention`` says which program counted multiply-adds and activations and what it left out. Counts without
    attention have columns of their own, so that a column never mixes the two.
    """

    sample_id: Annotated[str, note("source, run, model and image size")]
    split: Annotated[str, note("train, val, test (families that train never sees) or device (devices it never sees)")]
    family: Annotated[str, note("model family by the architecture's name: vit, swin, resnet, ...")]
    group: Annotated[str, note("isotropic (transformers on one token grid), hierarchical (other attention) or other")]
    family_split: Annotated[str, note("where the family falls on devices that train sees")]
    network: Annotated[str, note("first of the architectures with equal parameters, MACs and activations at some size")]
    source: Annotated[str, note("dataset")]
    file: Annotated[str, note("upstream file")]
    row: Annotated[int, note("index in the file")]
    model: Annotated[str, note("model as the source names it")]
    architecture: Annotated[str, note("model without the tag of its weights")]
    pretrained_tag: Annotated[str | None, note("weights that the accuracies belong to")] = None
    device: Annotated[str, note("such as rtx4090, i9_10940x, a100_sxm4_80gb")]
    device_kind: Annotated[str, note("gpu or cpu")]
    phase: Annotated[str, note("infer (forward) or train (forward, backward, optimizer)")]
    precision: Annotated[
        str | None, note("amp (float16), amp_bf16, bf16, or fp32 (autocast off, TF32 not excluded)")
    ] = None
    memory_layout: Annotated[str | None, note("nchw or nhwc (channels last)")] = None
    torch_version: Annotated[str | None, note("PyTorch version")] = None
    cuda_version: Annotated[str | None, note("CUDA version")] = None
    compiled: Annotated[bool | None, note("whether torch.compile was used")] = None
    image_size: Annotated[int, note("height and width of an image", "px")]
    batch_size: Annotated[int | None, note("images in a step, lowered by row to what fits the device", "images")] = None
    train_batch_size: Annotated[int | None, note("images in a training step on one device", "images")] = None
    train_devices: Annotated[int | None, note("devices that trained together", "devices")] = None
    macs_convention: Annotated[str | None, note("what counted MACs and activations")] = None
    params: Annotated[int | None, note("parameters; timm rounds to ten thousand", "parameters")] = None
    macs: Annotated[int | None, note("for one image, attention included", "multiply-adds")] = None
    macs_without_attention: Annotated[int | None, note("the same, fused attention as zero", "multiply-adds")] = None
    operations: Annotated[int | None, note("MACs and softmax, norms, sums for one image", "operations")] = None
    activations: Annotated[int | None, note("outputs of convolutions and matrix products", "elements")] = None
    activations_without_attention: Annotated[int | None, note("the same, fused attention as zero", "elements")] = None
    throughput: Annotated[float | None, note("images a second in the run's phase", "images/s")] = None
    step_time_ms: Annotated[float | None, note("mean time of one batch in the run's phase", "ms")] = None
    memory_b1_bytes: Annotated[int | None, note("largest memory of inference at batch size 1", "bytes")] = None
    memory_b32_bytes: Annotated[int | None, note("largest memory of inference at batch size 32", "bytes")] = None
    memory_b64_bytes: Annotated[int | None, note("largest memory of inference at batch size 64", "bytes")] = None
    memory_b128_bytes: Annotated[int | None, note("largest memory of inference at batch size 128", "bytes")] = None
    train_memory_bytes: Annotated[int | None, note("largest memory of training on one device", "bytes")] = None
    train_time_s: Annotated[float | None, note("time of the whole training, summed over devices", "s")] = None
    top1: Annotated[float | None, note("top-1 accuracy, ImageNet validation set", "%")] = None
    top5: Annotated[float | None, note("top-5 accuracy, ImageNet validation set", "%")] = None
    top1_real: Annotated[float | None, note("top-1 accuracy, ImageNet ReaL labels", "%")] = None
    top1_v2: Annotated[float | None, note("top-1 accuracy, ImageNetV2 matched frequency", "%")] = None
    top1_sketch: Annotated[float | None, note("top-1 accuracy, ImageNet-Sketch", "%")] = None
    top1_a: Annotated[float | None, note("top-1 accuracy, ImageNet-A", "%")] = None
    top1_a_clean: Annotated[float | None, note("top-1 accuracy, validation images of ImageNet-A's classes", "%")] = None
    top1_r: Annotated[float | None, note("top-1 accuracy, ImageNet-R", "%")] = None
    top1_r_clean: Annotated[float | None, note("top-1 accuracy, validation images of ImageNet-R's classes", "%")] = None


FIGURES = VitRun.__struct_fields__[VitRun.__struct_fields__.index("params") :]
"""Columns of what a run costs and yields; the catalogue says of each how it came about."""

SEEN_DEVICES = frozenset({"rtx3090", "i9_10940x", "a100_sxm4_40gb", "a100_sxm4_80gb"})
"""Devices whose rows train, val and test are made of; every other one, known or yet to come, is held out.

A GPU and a CPU are held out: the RTX 4090, a generation newer than the RTX 3090, and the i7-12700H, a laptop's. The RTX
3090 must be seen, as timm measured training on nothing else; the i9-10940X has twice the rows of the i7.
"""

_PREFIX = re.compile(r"^(?:gc|gluon|jx|legacy|test|tf|tv)_")
_FAMILY = re.compile(
    r"(?P<botnet>botnex?t|halonex?t|^halo|^lam)|(?P<coatnet>^coatnex?t)|(?P<cspnet>^cs3|^csp|darknet)"
    r"|(?P<densenet>densenet)|(?P<dla>^dla)|(?P<hiera>hiera)|(?P<inception_next>inception_next)|(?P<inception>inception)"
    r"|(?P<maxvit>^max+vit)|(?P<mnasnet>mnasnet)|(?P<mobilevit>mobilevit)|(?P<nfnet>nfnet|^nf_)|(?P<regnet>regnet)"
    r"|(?P<res2net>^res2ne)|(?P<rexnet>^rexnet)|(?P<tresnet>^tresnet)|(?P<resnet>resnex?t|(?:^|_)senet)|(?P<swin>swin)"
    r"|(?P<tiny_vit>tiny_vit)|(?P<vit>^vit(?![a-z])|deit|flexivit|naflexvit|samvit)|(?P<vovnet>vovnet)"
)
_STEM = re.compile(r"[a-z]+?(?=v?\d|[^a-z]|$)")

_ISOTROPIC = (
    r"^(aim|beit|cait|dynamic|eva|evit|linformer|nystrom|polysa|routing|sinkhorn|switch|synthesizer|token|tome|vit"
    r"|xcit)$"
)
_HIERARCHICAL = (
    r"^(caformer|coat|coatnet|convit|crossvit|cvt|davit|edgenext|efficientformer|efficientvit|fastvit|gcvit|hiera|levit"
    r"|maxvit|mobilevit|mvit|nest|nextvit|pit|pvt|shvit|swiftformer|swin|tiny_vit|tnt|twins|visformer|vitamin|volo"
    r"|wavevit)$"
)


def family_of(architecture: str) -> str:
    """The model family that a name tells: what it begins with, less version, size and who ported it.

    Names under which one network goes (``deit_base_patch16_224``, ``vit_base_patch16_224``) and variants of one design
    (``seresnext50_32x4d``, ``resnetv2_50``) give one family.
    """
    name = _PREFIX.sub("", architecture.lower())
    if known := _FAMILY.search(name):
        return str(known.lastgroup)
    stem = _STEM.match(name)
    return stem[0] if stem else name


def device_name(text: str) -> str:
    """One spelling of a device: ``RTX_4090``, ``rtx4090`` and ``NVIDIA GeForce RTX 4090`` are the same."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).removeprefix("nvidia_").removeprefix("geforce_")
    return re.sub(r"^rtx_(?=\d)", "rtx", name)


def complete(runs: pl.DataFrame) -> pl.DataFrame:
    """The columns of ``VitRun`` in order: those of ``runs``, what follows from them, null for the rest.

    Families between which a network goes by two names are held out together, so that none is on both sides.
    """
    table = pl.concat([pl.DataFrame(arrow_schema(VitRun).empty_table()), runs], how="diagonal_relaxed")
    families = {name: family_of(name) for name in table.get_column("architecture").unique()}
    costs = pl.concat_str("image_size", "params", "macs", pl.col("activations").fill_null(0), separator=" ")
    table = table.with_columns(
        family=pl.col("architecture").replace_strict(families, return_dtype=pl.String),
        network=components(table.get_column("architecture"), table.select(costs).to_series()),
    )
    held_out = components(table.get_column("family"), table.get_column("network"))
    isotropic = pl.when(pl.col("family").str.contains(_ISOTROPIC)).then(pl.lit("isotropic"))
    hierarchical = isotropic.when(pl.col("family").str.contains(_HIERARCHICAL)).then(pl.lit("hierarchical"))
    return table.with_columns(
        split=split_by(held_out, table.get_column("device").is_in(SEEN_DEVICES)),
        family_split=split_by(held_out),
        group=hierarchical.otherwise(pl.lit("other")),
    )

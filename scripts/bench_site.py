r"""What the site costs: seconds and CPU seconds of a cold build, of none and of one changed submission, and bytes.

    python scripts/make_replica.py REPLICA --only test/2_20 test/2layer test/3layer test/latency test/resource \\
        test/conv1d test/conv2d exemplar/exemplar
    python scripts/make_submissions.py OUT/submissions --track hls4ml --source REPLICA --count 300 --jobs 2
    python scripts/bench_site.py OUT hls4ml --source REPLICA

Every build is the command as users run it, start of Python included. The records are converted before the first one;
digests of submissions are not. ``OUT/site`` is left to be looked at. The changed submission's predictions are written
anew, a little different, and scored; that is not part of the time.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import polars as pl

import wa_bench as wb
from wa_bench.data.cache import cache_folder
from wa_bench.data.dataset import load
from wa_bench.data.held import HeldExam
from wa_bench.submissions.folder import score


def build(name: str, out: Path, site: Path, track: str, source: str | None) -> None:
    """One build, in a process of its own; prints what it cost."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = ["leaderboard", "build", str(out / "submissions"), "--site", str(site)]
    command += ["--base-url", "https://lab.example/board", *(["--source", f"{track}={source}"] if source else [])]
    code = "import sys; from wa_bench.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall = time.perf_counter() - start
    memory = after.ru_maxrss / 1024
    print(
        f"{name:32} {wall:7.1f} s  {cpu:7.1f} CPU s  {memory:6.0f} MB in one process  {done.stderr.strip()}", flush=True
    )


def fingerprint(site: Path) -> str:
    """Hash of all files of a site and of their names."""
    digest = sha256()
    for path in sorted(path for path in site.rglob("*") if path.is_file()):
        digest.update(path.relative_to(site).as_posix().encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def change(folder: Path, track: str, source: str | None) -> None:
    """Other predictions for a submission, and their scores."""
    exam = HeldExam(load(track, wb.track(track).exam_splits, source))
    file = folder / "predictions.parquet"
    frame = wb.Predictions.read(file, exam.track.target_names).frame()
    wb.Predictions(frame.with_columns(pl.exclude("sample_id") * 1.001), exam.track.target_names).write(file)
    score(folder, exam=exam)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="holds submissions/<track>/<name>/")
    parser.add_argument("track")
    parser.add_argument("--source")
    parser.add_argument("--twice", action="store_true", help="a second cold build, to compare the bytes")
    given = parser.parse_args()
    site, again = given.out / "site", given.out / "again"
    load(given.track, wb.track(given.track).exam_splits, given.source).sample_ids()
    for folder in (site, again, cache_folder() / "site"):
        shutil.rmtree(folder, ignore_errors=True)
    print(f"load of this machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    build("cold", given.out, site, given.track, given.source)
    build("nothing changed", given.out, site, given.track, given.source)
    changed = min(path for path in (given.out / "submissions" / given.track).iterdir())
    change(changed, given.track, given.source)
    build("one submission changed", given.out, site, given.track, given.source)
    if given.twice:
        shutil.rmtree(cache_folder() / "site")
    build("cold again" if given.twice else "a new folder", given.out, again, given.track, given.source)
    same = "the same" if fingerprint(site) == fingerprint(again) else "OTHER"
    print(f"bytes of both sites: {same}")
    board = site / given.track / "index.html"
    parts = [board, *(site / "assets" / name for name in ("site.css", "site.js", "board.css", "board.js"))]
    packed = sum(len(gzip.compress(path.read_bytes(), 6)) for path in parts if path.is_file())
    whole = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    print(f"board page with styles and scripts: {packed / 1e3:,.0f} kB gzip; whole site: {whole / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()

"""The work queue over Ray: one task a design, on this machine or on every node of a cluster that sees the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from wa_bench.errors import ToolError, needs_extra
from wa_bench.opensynth.queue import Queue
from wa_bench.opensynth.simulate import simulator
from wa_bench.opensynth.synthesize import tool_version

_RETRIES = 5
"""Times that Ray starts a task again whose worker died."""


def run(queue: Queue, jobs: int, memory_mb: int, say: Callable[[int], object]) -> None:
    """Work on a queue with Ray until every seed is done.

    Tasks claim seeds as any other worker does, so that both may work on one folder. The cluster is the one that
    ``RAY_ADDRESS`` names, else one of ``jobs`` cores started here, which listens on the loopback interface only.

    Args:
        queue: the queue, rid of what is stale.
        jobs: cores of the cluster started here.
        memory_mb: memory that a node must have free to be given a design.
        say: told the number of designs done, by anyone, about once a second.

    Raises:
        MissingToolError: Ray or a tool is not installed.
        ToolError: a task failed for another reason than a failed design.
    """
    tool_version()
    simulator()
    options: dict[str, object] = {}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if "RAY_ADDRESS" not in os.environ:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # without it Ray listens on all interfaces
        options = {"num_cpus": jobs, "object_store_memory": 100 * 1024**2, "include_dashboard": False}
        options["_node_ip_address"] = "127.0.0.1"
    with needs_extra("ray"):
        import ray
    ray.init(**options, log_to_driver=False)
    try:
        one = ray.remote(num_cpus=1, max_retries=_RETRIES, memory=memory_mb * 1024**2)(_work)
        running = [one.remote(queue.folder.resolve(), seed) for seed in queue.open_seeds()]
        while running:
            ended, running = ray.wait(running, num_returns=len(running), timeout=1)
            ray.get(ended)
            say(len(queue.plan.seeds) - len(queue.open_seeds()))
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ToolError(f"{queue.folder}: {reason}; run: wa-bench synth resume {queue.folder} --ray") from None
    finally:
        ray.shutdown()


def _work(folder: Path, seed: int) -> None:
    Queue.load(folder).work([seed])

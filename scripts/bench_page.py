"""What opening a page costs a reader on a slow machine: first paint, when it answers, how long it does not, bytes.

    wa-bench leaderboard build SUBMISSIONS --site SITE
    python scripts/bench_page.py SITE hls4ml/index.html --slowdown 4 --runs 5

The page is served by this machine, so that the network costs nothing, and opened in headless Chromium, the processor
slowed down. It answers (is interactive) from its first paint on, or from the end of its last long task, one of more
than 50 ms, that no five quiet seconds precede. It does not answer for what tasks last beyond 50 ms (total blocking
time). Least, median and most of the runs.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from statistics import median
from threading import Thread

from playwright.sync_api import Browser, sync_playwright

from wa_bench.leaderboard.serve import server

QUIET_MS = 5000
OBSERVE = """window.longTasks = [];
new PerformanceObserver(list => longTasks.push(...list.getEntries().map(each => [each.startTime, each.duration])))
    .observe({ type: 'longtask', buffered: true });"""
PAINTED = "performance.getEntriesByName('first-contentful-paint').map(each => each.startTime)[0]"
BYTES = "performance.getEntries().reduce((sum, each) => sum + (each.transferSize ?? 0), 0)"


def opened(browser: Browser, url: str, slowdown: float, width: int) -> dict[str, float]:
    """Milliseconds and kB of one visit."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.add_init_script(OBSERVE)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    page.goto(url)
    page.wait_for_timeout(QUIET_MS + 2000)
    painted, tasks, transferred = page.evaluate(f"[{PAINTED}, longTasks, {BYTES}]")
    context.close()
    answers = painted
    for start, duration in tasks:
        if start < answers + QUIET_MS:
            answers = max(answers, start + duration)
    blocked = sum(duration - 50 for _, duration in tasks)
    return {
        "first paint [ms]": painted,
        "answers [ms]": answers,
        "blocked [ms]": blocked,
        "size [kB]": transferred / 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    parser.add_argument("pages", nargs="+", metavar="PAGE", help="path below the site")
    parser.add_argument("--slowdown", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument(
        "--chromium", default=shutil.which("chromium"), help="the browser (default: chromium on the PATH)"
    )
    given = parser.parse_args()
    serving = server(given.site, port=0)
    Thread(target=serving.serve_forever, daemon=True).start()
    with sync_playwright() as driver:
        for page in given.pages:
            url = f"http://127.0.0.1:{serving.server_address[1]}/{page}"
            visits = []
            for _ in range(given.runs):
                browser = driver.chromium.launch(executable_path=given.chromium, args=["--no-sandbox", "--disable-gpu"])
                visits.append(opened(browser, url, given.slowdown, given.width))
                browser.close()
            print(f"{page}, processor slowed down {given.slowdown:g} times, {given.runs} visits")
            for name in visits[0]:
                values = [visit[name] for visit in visits]
                print(f"  {name:18} {min(values):7.0f} {median(values):7.0f} {max(values):7.0f}", flush=True)


if __name__ == "__main__":
    main()

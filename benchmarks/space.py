"""How long visitors of the Space wait, beside the wait for the model alone.

    python benchmarks/space.py

Each row is a click: its seconds, the median of some days, and how many times the model's own forward pass that is. The
first click of all, on a day that nothing is known of yet, must be answered within five seconds by the clock. The start
is counted apart: it happens once, before anybody comes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

GOAL = 5.0
"""Most seconds until the first answer."""

SPACE = Path(__file__).resolve().parents[1] / "examples" / "space"


def seconds(action: Callable[[], Any]) -> tuple[float, float]:
    """Returns how long something takes: by the clock, and of the processors, which says the same on a busy machine."""
    began, worked = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - began, time.process_time() - worked


def main() -> None:
    """Prints a Markdown table."""
    try:
        import gradio  # noqa: F401
    except ImportError:
        sys.stdout.write("The Space needs gradio: pip install 'sensorlm-hf[space]'. Nothing was measured.\n")
        return
    sys.path.insert(0, str(SPACE))
    began = time.perf_counter()
    import app

    started = time.perf_counter() - began
    from sensorlm_hf.data.simulate import simulate_days

    days = simulate_days(5, seed=77, days_per_person=1)
    library, _ = seconds(app.answers.library)
    clicks: dict[str, Callable[[Any], Any]] = {
        "the model's embedding of the day (reference)": lambda day: app.answers.embed([day]),
        "draw the day": app.figure_of,
        "score six labels, with their timeline": lambda day: app.score(day, app.LABELS, app.TEMPLATE),
        "write and check captions": lambda day: app.describe(day, "All of it"),
        "search the library": lambda day: app.search("a day with swimming", app.LIBRARY, ()),
        "what the model sees": app.show_model_view,
    }
    sys.stdout.write("| click | seconds | CPU seconds | CPU, times the reference |\n|---|--:|--:|--:|\n")
    reference = None
    slow = []
    for name, click in clicks.items():
        first, _ = seconds(lambda click=click: click(days[0]))  # what only the first visitor waits for
        if first > GOAL:
            slow.append(f"{name} ({first:.1f} s)")
        taken = [seconds(lambda day=day, click=click: click(day)) for day in days]
        clock, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
        reference = reference or cpu
        sys.stdout.write(f"| {name} | {clock:.2f} | {cpu:.2f} | {cpu / reference:.1f} |\n")
    sys.stdout.write(f"\nStart {started:.1f} s, embedding {app.LIBRARY_DAYS} days for the search {library:.1f} s.\n")
    if slow:
        sys.exit(f"goal missed: the first answer took over {GOAL:g} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()

"""The demo behind `sensorlm-hf demo`: labels, captions, retrieval and a report for one day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .command import print_result, run
    from .compute import run_demo
    from .report import write_report
    from .result import DemoResult, LabelScore, NearestCaption
    from .sources import built_in_day, choose_day, read_source

__all__ = [
    "DemoResult",
    "LabelScore",
    "NearestCaption",
    "built_in_day",
    "choose_day",
    "print_result",
    "read_source",
    "run",
    "run_demo",
    "write_report",
]

_HOMES = {
    "DemoResult": "result",
    "LabelScore": "result",
    "NearestCaption": "result",
    "built_in_day": "sources",
    "choose_day": "sources",
    "print_result": "command",
    "read_source": "sources",
    "run": "command",
    "run_demo": "compute",
    "write_report": "report",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)

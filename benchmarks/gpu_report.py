"""The table of `benchmarks/gpu.py`: measurements with their guard rails, and the time that is left."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """A measurement.

    Attributes:
        section: Section of the table.
        case: What was measured.
        value: The measured number; None if it could not be measured, see `note`.
        unit: Its unit.
        at_least: Lower guard rail.
        at_most: Upper guard rail.
        speed: Whether the rail is about speed or memory, so that it only counts at full size on a GPU.
        note: Reason for a missing value, or a remark.
    """

    section: str
    case: str
    value: float | None
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    speed: bool = False
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value is within its rails; a value that is not a number is not."""
        if self.value is None:
            return True
        above = self.at_least is None or self.value >= self.at_least
        below = self.at_most is None or self.value <= self.at_most
        return above and below and self.value == self.value

    @property
    def rail(self) -> str:
        """The guard rails as text."""
        lower = [] if self.at_least is None else [f">= {self.at_least:g}"]
        upper = [] if self.at_most is None else [f"<= {self.at_most:g}"]
        return " and ".join([*lower, *upper])


@dataclass
class Report:
    """Rows of the table.

    Attributes:
        enforce_speed: Whether rails about speed and memory count.
        minutes: Time that the whole check may take.
        rows: The rows so far.
    """

    enforce_speed: bool
    minutes: float
    rows: list[Row] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, section: str, case: str, value: float | None, unit: str = "", **options: Any) -> None:
        """Adds a row."""
        self.rows.append(Row(section, case, value, unit, **options))

    def seconds_left(self) -> float:
        """Returns the remaining time."""
        return 60 * self.minutes - (time.monotonic() - self.began)

    def missed(self) -> list[Row]:
        """Returns the rows outside their rails, of those that count."""
        return [row for row in self.rows if not row.passed and (self.enforce_speed or not row.speed)]

    def table(self) -> str:
        """Returns the table as Markdown."""
        lines = ["| section | case | value | unit | guard rail | |", "|---|---|---:|---|---|---|"]
        for row in self.rows:
            counts = self.enforce_speed or not row.speed
            verdict = "" if not row.rail or row.value is None else "ok" if row.passed else "MISSED" if counts else "-"
            value = "not measured" if row.value is None else f"{row.value:.4g}"
            lines.append(
                f"| {row.section} | {row.case} | {value} | {row.unit} | {row.rail} | {' '.join([verdict, row.note])} |"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Returns all rows as plain JSON types."""
        return {"seconds": time.monotonic() - self.began, "rows": [asdict(row) for row in self.rows]}

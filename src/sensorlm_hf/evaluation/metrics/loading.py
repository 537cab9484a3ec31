"""The package's metrics as `evaluate` modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..._extras import requires_extra

_FOLDER = Path(__file__).resolve().parent / "modules"

METRICS = tuple(sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem != "__init__"))
"""Names that [`load_metric`] takes."""


def metric_path(name: str) -> str:
    """Returns the file of a metric, which `evaluate.load` takes as well.

    Raises:
        ValueError: If there is no such metric.
    """
    if name not in METRICS:
        raise ValueError(f"Unknown metric {name!r}; there are {', '.join(METRICS)}.")
    return str(_FOLDER / f"{name}.py")


def load_metric(name: str, **options: Any) -> Any:
    """Loads a metric of the package as an `evaluate` module, offline.

    Args:
        name: One of [`METRICS`].
        options: Passed to `evaluate.load`, such as `experiment_id`.

    Returns:
        An `evaluate.EvaluationModule` with `add_batch` and `compute`.

    Raises:
        ValueError: If there is no such metric.
        ImportError: If `evaluate` is not installed.

    Example:
        >>> metric = load_metric("recall_at_k")
        >>> metric.compute(predictions=[1, 2, 7])["R@5"]
        0.6666666666666666
    """
    with requires_extra("eval", "Loading a metric"):
        import evaluate

    return evaluate.load(metric_path(name), **options)

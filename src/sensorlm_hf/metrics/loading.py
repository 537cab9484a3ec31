"""Loading of the metrics as `evaluate` modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._extras import requires_extra

METRIC_MODULE = str(Path(__file__).resolve().parent / "evaluate_module.py")
"""Path for `evaluate.load`, with one of [`METRICS`] as the configuration name."""

METRICS = ("caption_quality", "faithfulness", "recall_at_k", "zero_shot_classification")
"""Names of the metrics."""


def load_metric(name: str, **options: Any) -> Any:
    """Loads a metric as an `evaluate` module, without network access.

    Args:
        name: One of [`METRICS`].
        options: Passed to `evaluate.load`, such as `experiment_id`.

    Returns:
        An `evaluate.EvaluationModule` with `add_batch` and `compute`.

    Raises:
        ValueError: If the metric is unknown.
        ImportError: If `evaluate` is not installed.

    Example:
        >>> metric = load_metric("recall_at_k")
        >>> metric.compute(predictions=[1, 2, 7])["R@5"]
        0.6666666666666666
    """
    with requires_extra("eval", "Loading a metric"):
        import evaluate

    if name not in METRICS:
        raise ValueError(f"Unknown metric {name!r}; available metrics are {', '.join(METRICS)}.")
    return evaluate.load(METRIC_MODULE, name, **options)

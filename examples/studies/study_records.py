"""Records of ablation and scaling studies, as JSON, Markdown and for the evaluation report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from power_law import PowerLaw, fit_power_law

from sensorlm_hf.evaluation import save_results
from sensorlm_hf.evaluation.page import add_study, study_markdown
from sensorlm_hf.evaluation.results import number_text
from sensorlm_hf.io import atomic_write_text

ABLATION_COLUMNS = (
    ("zero_shot_activity", "zero-shot AUROC"),
    ("probe_activity", "probe AUROC"),
    ("R@1_summaries", "R@1, summaries"),
    ("R@1_own", "R@1, own captions"),
    ("faithfulness", "faithfulness"),
    ("rougeL", "ROUGE-L"),
)
"""Metrics of an ablation and their column names."""

SCALING_AXES = (("data", "train_days"), ("model size", "parameters"), ("compute", "compute"))
"""Scaling axes and the row keys that measure them."""

_AXIS_LABELS = {"data": "training days", "model size": "parameters", "compute": "floating-point operations"}


def write_study(folder: str | Path, name: str, study: dict[str, Any], report: str | Path | None = None) -> str:
    """Writes a study to `<name>.json` and `<name>.md`, and optionally adds it to an evaluation report.

    Args:
        folder: Output folder.
        name: Name of the study.
        study: A record as in [`add_study`].
        report: Output folder of [`evaluate_model`]; if set, the study is added to its report.

    Returns:
        The Markdown.
    """
    save_results(study, Path(folder) / f"{name}.json")
    text = study_markdown(study)
    atomic_write_text(Path(folder) / f"{name}.md", text)
    if report:
        add_study(report, name, study)
    return text


def recipe_text(
    *,
    size: str,
    overrides: dict[str, Any],
    epochs: float,
    max_steps: int,
    batch_size: int,
    muon_learning_rate: float | None,
    seed: int,
) -> str:
    """Describes how the models of a study were trained.

    Args:
        size: Size of the models.
        overrides: Additional configuration values.
        epochs: Passes over the training days.
        max_steps: Number of optimizer steps; overrides `epochs` if positive.
        batch_size: Number of days per batch.
        muon_learning_rate: Peak learning rate of Muon, if used.
        seed: Seed of the runs.
    """
    length = f"{max_steps:,} steps" if max_steps > 0 else f"{epochs:g} epochs"
    optimiser = f"Muon (peak learning rate {muon_learning_rate:g}) and AdamW" if muon_learning_rate else "AdamW"
    shape = "".join(f", {name} {value}" for name, value in overrides.items())
    return f"{length} in batches of {batch_size} by {optimiser}; size {size}{shape}; seed {seed}"


# Ablations


def ablation_row(results: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Returns the scores of a model in an ablation, with the confidence interval of the first score.

    Args:
        results: Result of [`evaluate_model`] for the tasks shared by all models.
        own: Its result for retrieval and captioning with the kind of captions that this model was trained on.

    Returns:
        The scores in [`ABLATION_COLUMNS`], nan if not supported by the objective, `zero_shot_interval`, the pools of
        retrieval, and the number of days.
    """
    activity = results.get("zero_shot", {}).get("activity", {})
    captioning = own.get("captioning", {})
    row = {
        "zero_shot_activity": activity.get("auroc", math.nan),
        "zero_shot_interval": activity.get("intervals", {}).get("auroc"),
        "probe_activity": results.get("probes", {}).get("activity", {}).get("auroc", math.nan),
        "faithfulness": captioning.get("faithfulness", math.nan),
        "rougeL": captioning.get("rougeL", math.nan),
        "days": results["days"],
    }
    for name, source in (("summaries", results), ("own", own)):
        retrieval = source.get("retrieval", {})
        row[f"R@1_{name}"] = retrieval.get("sensor_to_text", {}).get("R@1", math.nan)
        row[f"pool_{name}"] = retrieval.get("pool", 0)
    return row


def ablation_record(rows: Sequence[dict[str, Any]], made: str) -> dict[str, Any]:
    """Returns the record of an ablation, with one table per kind of variant, in the order of the rows.

    Args:
        rows: Rows of [`ablation_row`] with the `kind` and `name` of the variant.
        made: How the models were trained.
    """
    tables: dict[str, list[list[str]]] = {}
    for row in rows:
        cells = [row["name"], *(number_text(row[column]) for column, _ in ABLATION_COLUMNS)]
        if row.get("zero_shot_interval"):
            cells[1] += f" [{', '.join(map(number_text, row['zero_shot_interval']))}]"
        tables.setdefault(row["kind"], []).append(cells)
    labels = [label for _, label in ABLATION_COLUMNS]
    return {
        "title": "Ablations (separately trained models)",
        "made": made,
        "tables": [{"head": [kind, *labels], "rows": cells} for kind, cells in tables.items()],
        "figures": [],
        "rows": list(rows),
    }


# Scaling


def scaling_rows(rows: Sequence[dict[str, Any]], width: int, axis: str) -> list[dict[str, Any]]:
    """Returns the models that differ only along one axis, in increasing order; all models for compute.

    Args:
        rows: Models with `people`, `width`, `train_days`, `parameters`, `compute`, `auroc` and `R@1`.
        width: The width at which data is scaled.
        axis: One of [`SCALING_AXES`].
    """
    most = max(row["people"] for row in rows)
    chosen = {
        "data": [row for row in rows if row["width"] == width],
        "model size": [row for row in rows if row["people"] == most],
        "compute": list(rows),
    }[axis]
    return sorted(chosen, key=lambda row: row[dict(SCALING_AXES)[axis]])


def scaling_laws(rows: Sequence[dict[str, Any]], width: int) -> dict[str, PowerLaw]:
    """Fits one minus AUROC along each axis with at least two sizes; see [`fit_power_law`].

    Models with undefined AUROC are skipped.
    """
    laws = {}
    for axis, column in SCALING_AXES:
        known = [row for row in scaling_rows(rows, width, axis) if math.isfinite(row["auroc"])]
        sizes = [row[column] for row in known]
        if len(set(sizes)) > 1:
            laws[axis] = fit_power_law(sizes, [max(1 - row["auroc"], 1e-6) for row in known])
    return laws


def scaling_record(rows: Sequence[dict[str, Any]], width: int, made: str) -> dict[str, Any]:
    """Returns the record of a scaling study: a table of all models, and a figure with the fit for each axis.

    Args:
        rows: See [`scaling_rows`]; undefined scores are nan.
        width: The width at which data is scaled.
        made: How the models were trained.
    """
    laws = scaling_laws(rows, width)
    figures = []
    for axis, column in SCALING_AXES:
        if axis not in laws:
            continue
        law, along = laws[axis], scaling_rows(rows, width, axis)
        sizes = [row[column] for row in along]
        shown = "; ".join(
            f"{row[column]:.3g}: AUROC {number_text(row['auroc'])}, R@1 {number_text(row['R@1'])}" for row in along
        )
        figures.append(
            {
                "lines": {"AUROC": [sizes, [r["auroc"] for r in along]], "R@1": [sizes, [r["R@1"] for r in along]]},
                "fits": {"AUROC": [sizes, (1 - law(sizes)).tolist()]},
                "x_label": _AXIS_LABELS[axis],
                "y_label": "score",
                "title": f"Scaling in {axis}",
                "caption": f"1 - AUROC over {axis}: {law.floor:.3f} + {law.factor:.3g} x size^-{law.exponent:.3f} (R2"
                f" {law.r2:.2f}, on logarithms)",
                "alt": f"Scores over {axis}. {shown}.",
            }
        )
    cells = [
        [
            f"{row['people']:,}",
            f"{row['train_days']:,}",
            f"{row['width']}",
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['compute']:.2e}",
            *(number_text(row[name]) for name in ("auroc", "R@1")),
        ]
        for row in rows
    ]
    head = ["people", "training days", "width", "parameters", "compute", "AUROC", "R@1"]
    return {
        "title": "Scaling (separately trained models)",
        "made": made,
        "tables": [{"head": head, "rows": cells}],
        "figures": figures,
        "width": width,
        "rows": list(rows),
        "fits_of_1_minus_auroc": {axis: vars(law) for axis, law in laws.items()},
    }

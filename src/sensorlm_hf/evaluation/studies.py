"""Studies of several models that differ in one thing: ablations and scaling, as rows, tables, laws and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..plotting import plot_lines
from .report import number_text
from .scaling import PowerLaw, fit_power_law

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STUDIES = ("ablations", "scaling")
"""Studies that a report shows, if `studies/<name>.json` lies in its folder."""

ABLATION_COLUMNS = (
    ("zero_shot_activity", "zero-shot AUROC"),
    ("probe_activity", "probe AUROC"),
    ("R@1_summaries", "R@1, summaries"),
    ("R@1_own", "R@1, own captions"),
    ("faithfulness", "faithfulness"),
    ("rougeL", "ROUGE-L"),
)
"""Numbers of an ablation, and what the table calls them."""

SCALING_AXES = (("data", "train_days"), ("model size", "parameters"), ("compute", "compute"))
"""What is scaled, and the number of a row that says how far."""


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
    """Returns how the models of a study were trained, in words.

    Args:
        size: Size of the models.
        overrides: Further values of their configuration.
        epochs: Passes over the training days.
        max_steps: Optimiser steps instead, if above 0.
        batch_size: Days in a batch.
        muon_learning_rate: Peak rate of Muon, if it was used.
        seed: Seed of the runs.
    """
    length = f"{max_steps:,} steps" if max_steps > 0 else f"{epochs:g} passes over its days"
    optimiser = f"Muon (peak rate {muon_learning_rate:g}) and AdamW" if muon_learning_rate else "AdamW"
    shape = "".join(f", {name} {value}" for name, value in overrides.items())
    return f"{length} in batches of {batch_size} by {optimiser}; size {size}{shape}; seed {seed}"


def ablation_row(results: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Returns one number of each kind for a model of an ablation, and the interval of the first over people.

    Args:
        results: What [`run_suite`] returned for the tasks that are the same for all models.
        own: What it returned for retrieval and captions of the kind that this model was trained on.

    Returns:
        The numbers of [`ABLATION_COLUMNS`], nan where the objective has none, `zero_shot_interval`, the pools of
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


def ablation_tables(rows: Sequence[dict[str, Any]]) -> list[tuple[list[str], list[list[str]]]]:
    """Returns the head and the cells of a table for each kind of variant, in the order of the rows.

    Args:
        rows: Rows of [`ablation_row`] with the `kind` and the `name` of the variant.
    """
    tables: dict[str, list[list[str]]] = {}
    for row in rows:
        cells = [row["name"]]
        for column, _ in ABLATION_COLUMNS:
            text = score_text(row[column])
            ends = row.get("zero_shot_interval")
            if column == "zero_shot_activity" and ends:
                text += f" [{number_text(float(ends[0]))}, {number_text(float(ends[1]))}]"
            cells.append(text)
        tables.setdefault(row["kind"], []).append(cells)
    return [([kind, *(label for _, label in ABLATION_COLUMNS)], cells) for kind, cells in tables.items()]


def scaling_rows(study: dict[str, Any], axis: str) -> list[dict[str, Any]]:
    """Returns the models that differ along an axis alone, from the smallest; all of them for compute.

    Args:
        study: `rows` with `people`, `width`, `train_days`, `parameters`, `compute`, `auroc` and `R@1`; and `width`, the
            one at which the data are scaled.
        axis: One of [`SCALING_AXES`].
    """
    rows, column = study["rows"], dict(SCALING_AXES)[axis]
    most = max(row["people"] for row in rows)
    chosen = {
        "data": [row for row in rows if row["width"] == study["width"]],
        "model size": [row for row in rows if row["people"] == most],
        "compute": rows,
    }[axis]
    return sorted(chosen, key=lambda row: row[column])


def scaling_laws(study: dict[str, Any]) -> dict[str, PowerLaw]:
    """Returns the power law of one minus AUROC along each axis that has two sizes; see [`fit_power_law`].

    Models whose AUROC is not defined, as their test days are of one class, are left out.
    """
    laws = {}
    for axis, column in SCALING_AXES:
        rows = [row for row in scaling_rows(study, axis) if row["auroc"] is not None and math.isfinite(row["auroc"])]
        sizes = [row[column] for row in rows]
        if len(set(sizes)) > 1:
            laws[axis] = fit_power_law(sizes, [max(1 - row["auroc"], 1e-6) for row in rows])
    return laws


def law_text(axis: str, law: PowerLaw) -> str:
    """Returns a law in words."""
    return (
        f"1 - AUROC over {axis}: {law.floor:.3f} + {law.factor:.3g} x size^-{law.exponent:.3f} (R2 {law.r2:.2f}, on"
        " logarithms)"
    )


def scaling_cells(study: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Returns the head and the cells of the table of a scaling study."""
    cells = [
        [
            f"{row['people']:,}",
            f"{row['train_days']:,}",
            f"{row['width']}",
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['compute']:.2e}",
            *(score_text(row[name]) for name in ("auroc", "R@1")),
        ]
        for row in study["rows"]
    ]
    return ["people", "training days", "width", "parameters", "compute", "AUROC", "R@1"], cells


def scaling_figure(study: dict[str, Any], axis: str, theme: Any = "light", width: int = 800) -> Figure:
    """Draws AUROC and R@1 along an axis, and the fitted law of AUROC as a dotted line.

    Args:
        study: See [`scaling_rows`].
        axis: One of [`SCALING_AXES`].
        theme: `"light"`, `"dark"` or a `Theme`.
        width: Width in pixels.

    Returns:
        The figure, 100 pixels per inch.
    """
    column = dict(SCALING_AXES)[axis]
    rows, law = scaling_rows(study, axis), scaling_laws(study).get(axis)
    sizes = [row[column] for row in rows]
    lines = {
        label: (sizes, [math.nan if row[name] is None else row[name] for row in rows])
        for name, label in (("auroc", "AUROC"), ("R@1", "R@1"))
    }
    words = {"data": "training days", "model size": "parameters", "compute": "floating-point operations"}
    return plot_lines(
        lines,
        theme,
        x_label=words[axis],
        y_label="score",
        fits={"AUROC": (sizes, (1 - law(sizes)).tolist())} if law else {},
        width=width,
        title=f"Scaling in {axis}",
    )


def score_text(score: float | None) -> str:
    """Returns a score with three decimals, or a dash where it is not defined: nan, or null in JSON."""
    return number_text(math.nan if score is None else float(score))


def markdown_cells(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def study_text(name: str, study: dict[str, Any]) -> str:
    """Returns a study as Markdown: how it was made, its table and its laws.

    Args:
        name: One of [`STUDIES`].
        study: Its content; `made` says how it was made.
    """
    if name == "ablations":
        tables = (markdown_cells(head, rows) for head, rows in ablation_tables(study["rows"]))
        return f"{study['made']}\n\n" + "\n".join(tables)
    laws = "".join(f"\n{law_text(axis, law)}\n" for axis, law in scaling_laws(study).items())
    return f"{study['made']}\n\n{markdown_cells(*scaling_cells(study))}{laws}"

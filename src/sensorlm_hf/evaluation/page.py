"""The report of an evaluation: one HTML file that needs nothing else, and the same table as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._version import __version__
from ..io import atomic_write_text
from ..plotting import plot_confusion, plot_lines, plot_roc
from ..plotting.embedding_map import plot_points
from ..plotting.page_style import STYLE
from ..plotting.pictures import picture
from .report import CAPTION_METRICS, CLASS_METRICS, number_text
from .studies import (
    SCALING_AXES,
    STUDIES,
    ablation_tables,
    law_text,
    scaling_cells,
    scaling_figure,
    scaling_laws,
    scaling_rows,
    score_text,
    study_text,
)


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        task: What was done.
        metric: What was measured.
        value: The model's number.
        interval: Its 95 % interval over people, or None.
        chance: What guessing reaches.
        majority: What always saying the largest class reaches; nan where that means nothing.
        supervised: What gradient boosting with labels reaches on the same days; nan where it was not computed.
    """

    task: str
    metric: str
    value: float
    interval: Sequence[float] | None
    chance: float
    majority: float = float("nan")
    supervised: float = float("nan")


BASELINE_WORDS = {
    "gradient_boosting": "gradient boosting",
    "supervised": "same tower with labels",
    "simclr": "SimCLR, probe",
    "mae": "masked autoencoder, probe",
    "llm": "language model, prompted",
    "llm_lora": "language model, LoRA",
}
"""What the table calls the baselines."""


def table_rows(results: dict[str, Any]) -> Iterator[Row]:
    """Yields every number of [`run_suite`] that belongs into a table."""
    boosted = results.get("baselines", {}).get("gradient_boosting", {})
    for group, word in (("zero_shot", "zero-shot"), ("event_level", "zero-shot events"), ("probes", "linear probe")):
        for name, scores in results.get(group, {}).items():
            for metric, label in CLASS_METRICS:
                yield Row(
                    f"{word} {name}",
                    label,
                    scores[metric],
                    scores.get("intervals", {}).get(metric),
                    scores["chance"][metric],
                    scores["majority"][metric],
                    boosted[name][metric] if group != "event_level" and name in boosted else float("nan"),
                )
    for baseline, by_task in results.get("baselines", {}).items():
        for name, scores in by_task.items():
            for metric, label in CLASS_METRICS:
                ends, guess = scores.get("intervals", {}).get(metric), scores["chance"][metric]
                task = f"{BASELINE_WORDS.get(baseline, baseline)} {name}"
                yield Row(task, label, scores[metric], ends, guess, scores["majority"][metric])
    for name, entry in results.get("few_shot", {}).items():
        for shots, scores in entry["shots"].items():
            chance = entry["chance"]["auroc"]
            label = f"AUROC, {shots} a class ({scores['classes']:.0f} classes)"
            yield Row(f"few-shot {name}", label, scores["auroc"], None, chance)
    for pool, entry in results.get("retrieval", {}).get("pools", {}).items():
        for way in ("sensor_to_text", "text_to_sensor"):
            for metric in ("R@1", "R@5", "R@10", "median_rank"):
                yield Row(
                    f"retrieval {way.replace('_', ' ')}, {int(pool):,}",
                    metric.replace("_", " "),
                    entry[way][metric],
                    entry[way]["intervals"].get(metric),
                    entry["chance"][metric],
                )
    captioning = results.get("captioning", {})
    for metric, label in CAPTION_METRICS:
        if metric in captioning:
            yield Row("captioning", label, captioning[metric], None, captioning["chance"][metric])


def suite_markdown(results: dict[str, Any]) -> str:
    """Returns the table as Markdown."""
    lines = [
        f"# {results['model']} on {results['days']} days of {results['people']} people",
        "",
        _circumstances(results),
        "",
        "| task | metric | value | 95 % interval | chance | majority | supervised |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table_rows(results):
        numbers = (row.chance, row.majority, row.supervised)
        cells = [row.task, row.metric, number_text(row.value), _interval(row.interval), *map(number_text, numbers)]
        lines.append(f"| {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    for name in STUDIES:
        if name in results:
            text += f"\n## {name.capitalize()}\n\n{study_text(name, results[name])}"
    return text


def write_reports(results: dict[str, Any], folder: str | Path) -> tuple[Path, Path]:
    """Writes `report.md` and `report.html` into a folder, over temporary names.

    Args:
        results: What [`run_suite`] returned.
        folder: Where; made if it does not exist.

    Returns:
        The paths of the two.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in (("report.md", suite_markdown(results)), ("report.html", suite_html(results))):
        atomic_write_text(folder / name, text)
        paths.append(folder / name)
    return paths[0], paths[1]


def suite_html(results: dict[str, Any]) -> str:
    """Returns the report as one HTML page with its pictures inside."""
    title = f"Evaluation of {Path(str(results['model'])).name}"
    notice = ""
    if str(results["data"]).startswith("simulated"):
        notice = (
            '<p class="notice">These are <strong>simulated people</strong>. The numbers say how well the model reads'
            " simulated days, not how well it reads yours.</p>"
        )
    sections = [
        _table(results),
        *_classifier_sections(results),
        _retrieval(results),
        _few_shot(results),
        _captions(results),
        _map(results),
        _ablations(results),
        _scaling(results),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
        f' content="width=device-width, initial-scale=1"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><header><h1>{escape(title)}</h1><p>{escape(_circumstances(results))}</p>{notice}</header><main>"
        + "".join(sections)
        + f'</main><footer><p class="muted">Made by sensorlm-hf {escape(__version__)}. Research software, not a medical'
        " device: do not use it to diagnose, treat or decide anything.</p></footer></body></html>\n"
    )


def _circumstances(results: dict[str, Any]) -> str:
    return (
        f"{results['objective']}, {results['parameters'] / 1e6:.1f} M parameters, on the {results['split']} split of"
        f" {results['data']}: {results['days']:,} days of {results['people']:,} people. Captions:"
        f" {results['caption_key']}, at most {results['max_text_length']} tokens. Seed {results['seed']}."
    )


def _interval(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f"{number_text(ends[0])} to {number_text(ends[1])}"


def _section(title: str, *content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def _table(results: dict[str, Any]) -> str:
    head = "".join(
        f"<th{' class=number' if i > 1 else ''}>{name}</th>"
        for i, name in enumerate(("task", "metric", "value", "95 % interval", "chance", "majority", "supervised"))
    )
    lines = []
    last = None
    for row in table_rows(results):
        numbers = [number_text(row.value), _interval(row.interval)]
        numbers += [number_text(v) for v in (row.chance, row.majority, row.supervised)]
        cells = "".join(f'<td class="number">{cell}</td>' for cell in numbers)
        task = "" if row.task == last else escape(row.task)
        last = row.task
        lines.append(f"<tr><th>{task}</th><td>{escape(row.metric)}</td>{cells}</tr>")
    note = (
        "<p class=muted>Intervals are bootstrapped over people. Chance is a uniform guess for classes, a random order"
        " for retrieval, the caption of another day for captioning. Majority always says the largest class."
        " Supervised is gradient boosting with labels on summary features of the same days, people split in five"
        " parts.</p>"
    )
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    return _section("All numbers", note, table)


def _classifier_sections(results: dict[str, Any]) -> Iterator[str]:
    for group, word in (("zero_shot", "Zero-shot"), ("event_level", "Zero-shot events")):
        for name, scores in results.get(group, {}).items():
            curves = scores.get("curves")
            if not curves or not curves["roc"]:
                continue
            heading = f"{word}: {name.replace('_', ' ')}"
            areas = {c: a for c, a in zip(scores["classes"], scores["auroc_per_class"], strict=True) if a is not None}
            yield _section(
                heading,
                '<div class="pair"><figure>',
                picture(
                    _roc(curves["roc"], areas), f"ROC curves of {len(areas)} classes, AUROC {scores['auroc']:.2f}."
                ),
                "</figure><figure>",
                picture(_confusion(curves["confusion"], scores["classes"]), _confusion_words(scores)),
                "</figure></div>",
            )


def _roc(curves: dict[str, Any], areas: dict[str, float]) -> Any:
    return lambda theme, width: plot_roc(curves, theme, areas=areas, width=min(width, 500))


def _confusion(counts: Any, names: Sequence[str]) -> Any:
    return lambda theme, width: plot_confusion(np.array(counts), names, theme, width=min(width, 500))


def _confusion_words(scores: dict[str, Any]) -> str:
    counts = np.array(scores["curves"]["confusion"], dtype=float)
    right = np.divide(np.diag(counts), counts.sum(axis=1), out=np.zeros(len(counts)), where=counts.sum(axis=1) > 0)
    parts = [f"{name} {100 * share:.0f} % right" for name, share in zip(scores["classes"], right, strict=True)]
    return f"Confusion matrix: {', '.join(parts)}."


def _retrieval(results: dict[str, Any]) -> str:
    pools = results.get("retrieval", {}).get("pools", {})
    if not pools:
        return ""
    sizes = [int(pool) for pool in pools]
    lines, bands = {}, {}
    for way, word in (("sensor_to_text", "day to text"), ("text_to_sensor", "text to day")):
        for metric in ("R@1", "R@10"):
            name = f"{metric} {word}"
            lines[name] = (sizes, [entry[way][metric] for entry in pools.values()])
            ends = np.array([entry[way]["intervals"][metric] for entry in pools.values()]).T
            bands[name] = (ends[0].tolist(), ends[1].tolist())
    words = "; ".join(f"{name}: {', '.join(f'{v:.2f}' for v in y)}" for name, (_, y) in lines.items())
    draw = picture(
        lambda theme, width: plot_lines(
            lines,
            theme,
            bands=bands,
            x_label="candidates",
            y_label="share found",
            width=width,
            title="Recall over the number of candidates",
        ),
        f"Recall at pools of {', '.join(map(str, sizes))}. {words}.",
    )
    return _section("Retrieval", f"<figure>{draw}</figure>")


def _few_shot_range(lines: dict[str, tuple[list[int], list[float]]]) -> tuple[float, float]:
    """Returns the shown AUROCs, from 0.4 or the tenth below the lowest, as few labels may do worse than chance."""
    lowest = min(value for _, values in lines.values() for value in values)
    return min(0.4, float(np.floor(lowest * 10)) / 10), 1.0


def _few_shot(results: dict[str, Any]) -> str:
    lines = {
        name: ([int(k) for k in entry["shots"]], [scores["auroc"] for scores in entry["shots"].values()])
        for name, entry in results.get("few_shot", {}).items()
        if entry["shots"]
    }
    if not lines:
        return ""
    words = "; ".join(f"{name}: {', '.join(f'{v:.2f}' for v in y)}" for name, (_, y) in lines.items())
    draw = picture(
        lambda theme, width: plot_lines(
            lines,
            theme,
            x_label="labelled days of each class",
            y_label="AUROC",
            y_range=_few_shot_range(lines),
            width=width,
            title="Few-shot learning on frozen embeddings",
        ),
        f"AUROC over labelled days. {words}.",
    )
    return _section("Few-shot", f"<figure>{draw}</figure>")


def _captions(results: dict[str, Any]) -> str:
    captioning = results.get("captioning")
    if not captioning:
        return ""
    lines = "".join(
        f'<tr><th>{escape(kind)}</th><td class="number">{count["claims"]}</td>'
        f'<td class="number">{count["confirmed"] / count["claims"]:.2f}</td></tr>'
        for kind, count in captioning["by_kind"].items()
    )
    return _section(
        "Generated captions against the facts",
        f"<p>{captioning['days']} captions make {captioning['claims']} claims; the facts confirm"
        f" {100 * captioning['faithfulness']:.0f} % of them (the caption of another day:"
        f" {100 * captioning['chance']['faithfulness']:.0f} %).</p>",
        "<table><thead><tr><th>kind of claim</th><th class=number>claims</th><th class=number>confirmed</th></tr>"
        f"</thead><tbody>{lines}</tbody></table>",
    )


def _map(results: dict[str, Any]) -> str:
    entry = results.get("embedding_map")
    if not entry or len(set(entry["labels"])) > 30:
        return ""
    points = np.array(entry["points"])
    draw = picture(
        lambda theme, width: plot_points(points, entry["labels"], theme, method=entry["method"], width=width),
        f"Embeddings of {len(points)} days in two dimensions, by main activity.",
    )
    return _section("Where the model puts days", f"<figure>{draw}</figure>")


def _cells(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """Returns a table whose first columns are words and whose others are numbers."""
    kinds = ["" if i < words else " class=number" for i in range(len(head))]
    top = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, head, strict=True))
    body = ""
    for row in rows:
        tags = ["th" if i < words else "td" for i in range(len(row))]
        cells = zip(tags, kinds, row, strict=True)
        body += "<tr>" + "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for tag, kind, cell in cells) + "</tr>"
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll study">{table}</div>'


def _ablations(results: dict[str, Any]) -> str:
    study = results.get("ablations")
    if not study:
        return ""
    made = f"<p class=muted>{escape(study['made'])}</p>"
    tables = [_cells(head, rows, 1) for head, rows in ablation_tables(study["rows"])]
    return _section("Ablations: other models, each trained on its own", made, *tables)


def _scaling(results: dict[str, Any]) -> str:
    study = results.get("scaling")
    if not study:
        return ""
    laws = scaling_laws(study)
    parts = [f"<p class=muted>{escape(study['made'])}</p>"]
    for axis, column in SCALING_AXES:
        if axis not in laws:
            continue
        shown = "; ".join(
            f"{row[column]:.3g}: AUROC {score_text(row['auroc'])}, R@1 {score_text(row['R@1'])}"
            for row in scaling_rows(study, axis)
        )
        draw = picture(_scaled(study, axis), f"Scores over {axis}. {shown}.")
        parts.append(f"<figure>{draw}<figcaption>{escape(law_text(axis, laws[axis]))}</figcaption></figure>")
    return _section("Scaling: other models, each trained on its own", *parts, _cells(*scaling_cells(study), 0))


def _scaled(study: dict[str, Any], axis: str) -> Any:
    return lambda theme, width: scaling_figure(study, axis, theme, width)

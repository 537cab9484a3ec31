"""The report of an evaluation: a self-contained HTML file, and the same table as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..data.device_profiles import get_profile
from ..io import atomic_write_text
from ..plotting import plot_confusion, plot_lines, plot_roc
from ..plotting.embedding_map import plot_points
from ..plotting.page_style import STYLE
from ..plotting.pictures import picture
from .results import check_run, collect, number_text, result_rows, save_results, table_markdown

COLUMNS = ("task", "metric", "value", "95 % interval", "chance", "majority", "supervised")
"""Columns of the results table."""

_STUDY_KEYS = ("title", "made", "tables", "figures")


def report_markdown(results: dict[str, Any]) -> str:
    """Returns the report as Markdown: the results table, followed by the studies."""
    parts = [
        f"# {results['model']} on {results['days']} days of {results['people']} people",
        _settings(results),
        table_markdown(COLUMNS, list(_cells(results))),
    ]
    for study in results.get("studies", {}).values():
        parts += [f"## {study['title']}", study_markdown(study).rstrip()]
    return "\n\n".join(parts) + "\n"


def study_markdown(study: Mapping[str, Any]) -> str:
    """Returns a study as Markdown: its description, tables and figure captions.

    Args:
        study: See [`add_study`].
    """
    parts = [study["made"], *(table_markdown(table["head"], table["rows"]) for table in study["tables"])]
    parts += [figure["caption"] for figure in study["figures"]]
    return "\n\n".join(parts) + "\n"


def study_figure(figure: Mapping[str, Any], theme: Any = "light", width: int = 800) -> Any:
    """Plots a figure of a study.

    Args:
        figure: See [`add_study`].
        theme: `"light"`, `"dark"` or a `Theme`.
        width: Width in pixels.

    Returns:
        The matplotlib figure, 100 pixels per inch.
    """
    lines, fits = (
        {name: (x, [math.nan if value is None else value for value in y]) for name, (x, y) in figure[part].items()}
        for part in ("lines", "fits")
    )
    return plot_lines(
        lines,
        theme,
        fits=fits,
        x_label=figure["x_label"],
        y_label=figure["y_label"],
        width=width,
        title=figure["title"],
    )


def add_study(folder: str | Path, name: str, study: Mapping[str, Any]) -> Path:
    """Adds a study of several models to the report of a run and saves it as `studies/<name>.json`.

    Args:
        folder: Output folder of [`evaluate_model`].
        name: Name of the study; an existing study with this name is replaced.
        study: A record with `title`; `made`, how the models were trained; `tables`, each with `head` and `rows` of
            strings; and `figures`, each with `lines` and `fits` (`{name: [x, y]}`), `x_label`, `y_label`, `title`,
            `caption` and `alt`. Additional keys are stored but not shown.

    Returns:
        Path of the rewritten page.

    Raises:
        ValueError: If the folder does not contain a run, or the record lacks a key.
    """
    check_run(folder)
    missing = [key for key in _STUDY_KEYS if key not in study]
    if missing:
        raise ValueError(f"The study {name!r} lacks {', '.join(missing)}; required keys are {', '.join(_STUDY_KEYS)}.")
    save_results(dict(study), Path(folder) / "studies" / f"{name}.json")
    return update_reports(folder)


def update_reports(folder: str | Path) -> Path:
    """Rewrites `results.json`, `report.md` and `report.html` of a run from its files, and returns the path of the page.

    Raises:
        ValueError: If the folder does not contain a run.
    """
    results = collect(folder)
    save_results(results, Path(folder) / "results.json")
    return write_reports(results, folder)[1]


def write_reports(results: dict[str, Any], folder: str | Path) -> tuple[Path, Path]:
    """Writes `report.md` and `report.html` to a folder, each atomically.

    Args:
        results: What [`evaluate_model`] returned.
        folder: Output folder; created if it does not exist.

    Returns:
        Paths of the two files.
    """
    paths = Path(folder) / "report.md", Path(folder) / "report.html"
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path, text in zip(paths, (report_markdown(results), report_html(results)), strict=True):
        atomic_write_text(path, text)
    return paths


def report_html(results: dict[str, Any]) -> str:
    """Returns the report as a single HTML page with embedded figures."""
    title = f"Evaluation of {Path(str(results['model'])).name}"
    notice = ""
    if str(results["data"]).startswith("simulated"):
        notice = (
            '<p class="notice">All subjects are <strong>synthetic</strong>. The scores show how well the model'
            " performs on simulated days, not on real recordings.</p>"
        )
    sections = [
        _table(results),
        *_classifier_sections(results),
        _retrieval(results),
        _few_shot(results),
        _captions(results),
        _english(results),
        _map(results),
        *(_study(study) for study in results.get("studies", {}).values()),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
        f' content="width=device-width, initial-scale=1"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><header><h1>{escape(title)}</h1><p>{escape(_settings(results))}</p>{notice}</header><main>"
        + "".join(sections)
        + f'</main><footer><p class="muted">Generated by sensorlm-hf {escape(__version__)}. Research software, not a'
        " medical device: do not use it for diagnosis, treatment or medical decisions.</p></footer></body></html>\n"
    )


def _settings(results: dict[str, Any]) -> str:
    return (
        f"{results['objective']}, {results['parameters'] / 1e6:.1f} M parameters, on the {results['split']} split of"
        f" {results['data']}: {results['days']:,} days of {results['people']:,} people. Captions:"
        f" {results['caption_key']}, at most {results['max_text_length']} tokens. Seed {results['seed']}."
    )


def _cells(results: dict[str, Any]) -> Iterator[list[str]]:
    """Yields the table rows as text."""
    for row in result_rows(results):
        interval = "" if row.interval is None else " to ".join(map(number_text, row.interval))
        others = map(number_text, (row.chance, row.majority, row.supervised))
        yield [row.task, row.metric, number_text(row.value), interval, *others]


def _section(title: str, *content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int, style: str = "") -> str:
    """Returns a table with `words` text columns followed by numeric columns; repeated first cells are blank."""
    kinds = ["" if i < words else " class=number" for i in range(len(head))]
    top = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, head, strict=True))
    body, last = "", None
    for first, *others in rows:
        shown = "" if words > 1 and first == last else escape(first)
        last = first
        cells = "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds[1:], others, strict=True))
        body += f"<tr><th{kinds[0]}>{shown}</th>{cells}</tr>"
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll{style}">{table}</div>'


def _table(results: dict[str, Any]) -> str:
    note = (
        "<p class=muted>Intervals are 95 % bootstrap confidence intervals over people. Chance is a uniform guess for"
        " classification, a random ranking for retrieval, and the caption of another day for captioning. Majority"
        " always predicts the largest class. Supervised is gradient boosting on summary features of the same days"
        " with labels, cross-validated by person.</p>"
    )
    return _section("All scores", note, _html_table(COLUMNS, list(_cells(results)), 2))


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
                picture(_confusion(curves["confusion"], scores["classes"]), _confusion_alt(scores)),
                "</figure></div>",
            )


def _roc(curves: dict[str, Any], areas: dict[str, float]) -> Any:
    return lambda theme, width: plot_roc(curves, theme, areas=areas, width=min(width, 500))


def _confusion(counts: Any, names: Sequence[str]) -> Any:
    return lambda theme, width: plot_confusion(np.array(counts), names, theme, width=min(width, 500))


def _confusion_alt(scores: dict[str, Any]) -> str:
    counts = np.array(scores["curves"]["confusion"], dtype=float)
    right = np.divide(np.diag(counts), counts.sum(axis=1), out=np.zeros(len(counts)), where=counts.sum(axis=1) > 0)
    parts = [f"{name} {100 * share:.0f} % correct" for name, share in zip(scores["classes"], right, strict=True)]
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
            ends = np.array([entry["intervals"][way][metric] for entry in pools.values()]).T
            bands[name] = (ends[0].tolist(), ends[1].tolist())
    words = "; ".join(f"{name}: {', '.join(f'{v:.2f}' for v in y)}" for name, (_, y) in lines.items())
    draw = picture(
        lambda theme, width: plot_lines(
            lines,
            theme,
            bands=bands,
            x_label="candidates",
            y_label="recall",
            width=width,
            title="Recall by number of candidates",
        ),
        f"Recall for pools of {', '.join(map(str, sizes))}. {words}.",
    )
    return _section("Retrieval", f"<figure>{draw}</figure>")


def _few_shot_range(lines: dict[str, tuple[list[int], list[float]]]) -> tuple[float, float]:
    """Returns the AUROC axis range: from 0.4, or from below the minimum, since few-shot scores may be below chance."""
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
            x_label="labelled days per class",
            y_label="AUROC",
            y_range=_few_shot_range(lines),
            width=width,
            title="Few-shot learning on frozen embeddings",
        ),
        f"AUROC by number of labelled days. {words}.",
    )
    return _section("Few-shot", f"<figure>{draw}</figure>")


def _captions(results: dict[str, Any]) -> str:
    captioning = results.get("captioning")
    if not captioning:
        return ""
    rows = [
        [kind, str(count["claims"]), f"{count['confirmed'] / count['claims']:.2f}"]
        for kind, count in captioning["by_kind"].items()
    ]
    confirmed, chance = (
        f"{100 * scores['faithfulness']:.0f} %" if math.isfinite(scores["faithfulness"]) else "–"
        for scores in (captioning, captioning["chance"])
    )
    return _section(
        "Faithfulness of generated captions",
        f"<p>{captioning['days']} captions contain {captioning['claims']} claims, of which the facts support"
        f" {confirmed} (for the caption of another day: {chance}).</p>",
        _html_table(("claim type", "claims", "supported"), rows, 1),
    )


def _english(results: dict[str, Any]) -> str:
    entry = results.get("english", {})
    groups = (("activity", "sentences", "by_activity"), ("concept", "concepts", "by_quantity"))
    tables = []
    for first, part, group in groups:
        profiles = {name: scores[group] for name, scores in entry.get(part, {}).items() if scores[group]}
        if profiles:
            head = (first, *(get_profile(name).description for name in profiles))
            names = dict.fromkeys(name for scores in profiles.values() for name in scores)
            rows = [
                [
                    name.replace("_", " "),
                    *(number_text(scores.get(name, {}).get("auroc")) for scores in profiles.values()),
                ]
                for name in names
            ]
            tables.append(_html_table(head, rows, 1))
    if not tables:
        return ""
    note = (
        "<p class=muted>AUROC of ranking days by sentences that people might write about an activity, and of separating"
        " the upper from the lower quartile of a quantity by opposite sentences about it; by available channels.</p>"
    )
    return _section("Free English", note, *tables)


def _map(results: dict[str, Any]) -> str:
    entry = results.get("embedding_map")
    if not entry or len(set(entry["labels"])) > 30:
        return ""
    points = np.array(entry["points"])
    draw = picture(
        lambda theme, width: plot_points(points, entry["labels"], theme, method=entry["method"], width=width),
        f"Embeddings of {len(points)} days in two dimensions, by main activity.",
    )
    return _section("Embedding map", f"<figure>{draw}</figure>")


def _study(study: Mapping[str, Any]) -> str:
    parts = [f"<p class=muted>{escape(study['made'])}</p>"]
    for figure in study["figures"]:
        draw = picture(_drawn(figure), figure["alt"])
        parts.append(f"<figure>{draw}<figcaption>{escape(figure['caption'])}</figcaption></figure>")
    parts += [_html_table(table["head"], table["rows"], 1, " study") for table in study["tables"]]
    return _section(study["title"], *parts)


def _drawn(figure: Mapping[str, Any]) -> Any:
    return lambda theme, width: study_figure(figure, theme, width)

"""The demo report: a single self-contained HTML file that works offline."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from .._version import __version__
from ..days import SensorDay
from ..io import atomic_write_text
from ..plotting import default_channels, plot_day, plot_heatmap
from ..plotting.page_style import STYLE
from ..plotting.pictures import picture
from ..processing.captions import opening_sentence
from .result import DemoResult, Stopwatch

FILE_NAME = "report.html"
"""File name of the report."""


def write_report(
    result: DemoResult,
    day: SensorDay,
    folder: str | os.PathLike,
    *,
    stopwatch: Stopwatch | None = None,
) -> Path:
    """Writes `report.html` atomically.

    Args:
        result: Result of [`run_demo`].
        day: The day.
        folder: Output folder; created if it does not exist.
        stopwatch: Measures the time for drawing the plots, for the table of timings.

    Returns:
        Path of the report.

    Raises:
        ValueError: If the result belongs to another day.
        NotADirectoryError: If `folder` is a file.
    """
    if result.sample_id != day.sample_id:
        raise ValueError(f"The result belongs to {result.sample_id}, but the day is {day.sample_id}.")
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"The report needs a folder, but {folder} is a file.")
    watch = stopwatch if stopwatch is not None else Stopwatch()
    with watch.stage("draw the pictures"):
        main = picture(lambda theme, width: plot_day(day, theme=theme, width=width), describe_day(day))
        seen = picture(
            lambda theme, width: plot_heatmap(day, theme, width=width),
            f"Heat map of the {len(day.schema)} normalised channels over the day; hatched where nothing was observed.",
        )
    result.seconds.update(watch.seconds)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    atomic_write_text(path, _page(result, day, main, seen))
    return path


def describe_day(day: SensorDay) -> str:
    """Describes the plot of a day in words, as alternative text for screen readers."""
    parts = []
    for key in default_channels(day):
        channel, values = day.schema[key], day.channel(key).astype(np.float64)
        values = values[~np.isnan(values)]
        if values.size:
            parts.append(
                f"{channel.label} {values.min():.1f} to {values.max():.1f}, mean {values.mean():.1f} {channel.unit}"
            )
    signals = "; ".join(parts) if parts else "no signal was observed"
    events = ", ".join(f"{event.label} {_span(day, event.start_minute, event.end_minute)}" for event in day.events)
    return f"Signals from {_clock(day, 0)} to {_clock(day, len(day))}: {signals}. Logged: {events or 'nothing'}."


def next_steps(result: DemoResult) -> str:
    """Returns Python code that repeats the demo and can serve as a starting point."""
    named = "" if result.demo_model else f", model={result.model!r}"
    read = {
        "fitbit": "from sensorlm_hf.data.readers import read_fitbit\n\n"
        'day = next(read_fitbit("MyFitbitExport", "Europe/Rome"))',
        "mmash": 'from sensorlm_hf.data.readers import read_mmash\n\nday = next(read_mmash("MMASH/user_1"))',
        "table": "from sensorlm_hf.data.readers import read_table\n\n"
        'day = next(read_table("my_day.csv", timezone="Europe/Rome"))',
    }.get(result.source, "from sensorlm_hf import simulate_days\n\nday = simulate_days(1, seed=7)[0]")
    lines = [
        "from transformers import pipeline",
        "",
        "import sensorlm_hf  # registers the pipelines",
        read,
        "",
        f'embed = pipeline("sensor-feature-extraction"{named})',
        "print(embed(day).shape)",
    ]
    if result.labels:
        lines += [
            "",
            f'classify = pipeline("zero-shot-sensor-classification"{named})',
            'print(classify(day, candidate_labels=["running", "yoga", "swimming"], top_k=1))',
        ]
    if result.generated_caption is not None:
        lines += ["", f'describe = pipeline("sensor-captioning"{named})', "print(describe(day))"]
    return "\n".join(lines)


def _page(result: DemoResult, day: SensorDay, main: str, seen: str) -> str:
    parts = [
        _header(result, day),
        "<main>",
        _section(
            "The day",
            f'<p class="lead">{escape(opening_sentence(day))}</p>',
            f"<figure>{main}<figcaption>Hatched: not observed. Bands: logged events. Times are local to the"
            " person.</figcaption></figure>",
        ),
        _labels(result),
        _captions(result),
        _nearest(result),
        _details("Model input", f"<p>{_embedding(result, day)}</p><figure>{seen}</figure>"),
        _details("Logged events", _events(day)),
        _observed(result, day),
        _times(result),
        _section(
            "Next steps",
            f"<pre><code>{escape(next_steps(result))}</code></pre>",
            "<p>Or, from the command line, with your own recording:</p>"
            "<pre><code>sensorlm-hf demo --fitbit MyFitbitExport --timezone Europe/Rome</code></pre>",
        ),
        "</main>",
        f'<footer><p class="muted">Generated by sensorlm-hf {escape(__version__)}. All results were computed locally.'
        " Research software, not a medical device: do not use it for diagnosis or treatment decisions.</p></footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; style-src'
        " 'unsafe-inline'\">\n"
        f"<title>SensorLM report for {escape(result.sample_id)}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _header(result: DemoResult, day: SensorDay) -> str:
    if day.labels.get("simulated") is True:
        origin = "The day below is <strong>simulated</strong>; it belongs to a synthetic subject."
    else:
        origin = "The day below was recorded, not simulated."
    trained = (
        "The model was trained on <strong>synthetic subjects only</strong> and may not work well on real recordings."
        if result.demo_model
        else f"The model is <code>{escape(result.model)}</code>; its predictions are only as good as its training data."
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
    notes = f'<ul class="muted">{notes}</ul>' if notes else ""
    return (
        "<header><h1>A day of wearable data in words</h1>"
        "<p>SensorLM aligns minute-level wearable signals with natural language: it scores arbitrary text labels,"
        " writes captions, and retrieves the text that best matches a day.</p>"
        f'<p class="notice">{origin} {trained} This is not a medical device.</p>{notes}</header>'
    )


def _section(title: str, *content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def _details(title: str, content: str) -> str:
    return f"<section><details><summary>{escape(title)}</summary>{content}</details></section>"


def _table(caption: str, heads: Sequence[tuple[str, str]], rows: Iterable[str]) -> str:
    """Returns an HTML table; `caption` and `rows` are HTML, `heads` are `(text, class)` pairs."""
    cells = "".join(
        f'<th scope="col" class="{css}">{escape(text)}</th>' if text else f'<td class="{css}"></td>'
        for text, css in heads
    )
    return (
        f'<div class="scroll"><table><caption>{caption}</caption><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _bar(share: float) -> str:
    share = min(max(share, 0.0), 1.0)
    return f'<span class="bar" aria-hidden="true"><span style="width: {100 * share:.1f}%"></span></span>'


def _labels(result: DemoResult) -> str:
    rows = []
    for item in result.labels:
        tag = ' <span class="tag">logged that day</span>' if item.logged else ""
        rows.append(
            f'<tr><th scope="row">{escape(item.label)}{tag}</th><td class="number">{item.score:.3f}</td>'
            f"<td>{_bar(item.score)}</td></tr>"
        )
    caption = (
        f"Scores of {len(result.labels)} labels, given as sentences; they sum to 1. Chance level is"
        f" {1 / max(len(result.labels), 1):.3f} per label."
    )
    return _section("Labels, zero-shot", _table(caption, [("Label", ""), ("Score", "number"), ("", "wide")], rows))


def caption_sources(caption_key: str) -> str:
    """Returns the inputs that captions of a key are based on, in words."""
    of_signals = "low" in caption_key or "middle" in caption_key
    return " and ".join(["the log"] * caption_key.startswith("high") + ["the signals"] * of_signals)


def _captions(result: DemoResult) -> str:
    if result.generated_caption is None:
        generated = '<p class="muted">This model has no decoder and writes no captions.</p>'
    else:
        generated = f"<blockquote>{escape(result.generated_caption) or '<em>(an empty text)</em>'}</blockquote>"
    return _section(
        "Captions",
        '<div class="pair"><article><h3>By the model, from the sensors alone</h3>'
        f"{generated}</article><article><h3>By the caption builder, from {caption_sources(result.caption_key)}</h3>"
        f"<blockquote>{escape(result.built_caption)}</blockquote></article></div>",
    )


def _nearest(result: DemoResult) -> str:
    if result.own_rank is None:
        return _section("Caption retrieval", '<p class="muted">This model has no text embedding for retrieval.</p>')
    rows = []
    for near in result.nearest:
        tag = ' <span class="tag">this day’s caption</span>' if near.own else ""
        css = ' class="own"' if near.own else ""
        rows.append(
            f'<tr{css}><td class="number">{near.rank}</td><td class="number">{near.similarity:.3f}</td>'
            f"<td>{escape(near.caption)}{tag}</td></tr>"
        )
    size = result.library_size
    caption = (
        f"This day’s caption ranks <strong>{result.own_rank}</strong> of {size}; the expected rank by chance is"
        f" {(size + 1) / 2:.1f}. The other captions describe days of synthetic subjects, some of which may match"
        " equally well."
    )
    return _section(
        "Caption retrieval", _table(caption, [("Rank", "number"), ("Cosine", "number"), ("Caption", "")], rows)
    )


def _embedding(result: DemoResult, day: SensorDay) -> str:
    shape = " × ".join(map(str, result.embedding_shape))
    return (
        f"{len(day.schema)} channels over {len(day)} minutes, in standard deviations from the population mean, with the"
        f" mask of observed values. The embedding has {shape} dimensions and norm {result.embedding_norm:.3f}."
    )


def _clock(day: SensorDay, minute: int) -> str:
    return f"{day.clock(minute):%H:%M}"


def _span(day: SensorDay, start: int, end: int) -> str:
    return f"at {_clock(day, start)}" if start == end else f"{_clock(day, start)} to {_clock(day, end)}"


def _events(day: SensorDay) -> str:
    if not day.events:
        return '<p class="muted">Nothing was logged in this window.</p>'
    rows = (
        f'<tr><td>{_span(day, event.start_minute, event.end_minute)}</td><th scope="row">{escape(event.label)}</th>'
        f'<td>{event.kind}</td><td class="number">{f"{event.duration} min" if event.duration else ""}</td></tr>'
        for event in day.events
    )
    heads = [("Time", ""), ("Event", ""), ("Kind", ""), ("Duration", "number")]
    return _table("Local clock times of the recording.", heads, rows)


def _observed(result: DemoResult, day: SensorDay) -> str:
    rows, absent = [], []
    for key, minutes in result.observed_minutes.items():
        channel = day.schema[key]
        if not minutes:
            absent.append(channel.label)
            continue
        rows.append(
            f'<tr><th scope="row">{escape(channel.label)}</th><td>{escape(channel.modality)}</td>'
            f'<td class="number">{minutes:,}</td><td>{_bar(minutes / result.window_minutes)}</td></tr>'
        )
    missing = f"<p>Without any data: {escape(', '.join(absent))}.</p>" if absent else ""
    heads = [("Channel", ""), ("Sensor", ""), ("Minutes", "number"), ("", "wide")]
    return _section(
        "Observed data", _table(f"Minutes with a value, of {result.window_minutes:,}.", heads, rows), missing
    )


def _times(result: DemoResult) -> str:
    rows = (
        f'<tr><th scope="row">{escape(stage.capitalize())}</th><td class="number">{seconds:.2f} s</td></tr>'
        for stage, seconds in result.seconds.items()
    )
    return _section(
        "Timings",
        _table(f"{sum(result.seconds.values()):.1f} seconds in total.", [("Stage", ""), ("Time", "number")], rows),
    )

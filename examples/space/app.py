"""The Space: labels, captions and searches days of wearable data, locally."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import space_html as html
from space_answers import CAPTION_KINDS, LIBRARY_DAYS, Answers
from space_days import MOST_DAYS, read_upload, sample_days, time_zones, title_of

from sensorlm_hf.days import SensorDay
from sensorlm_hf.demo.report import describe_day
from sensorlm_hf.plotting import plot_day, plot_heatmap, plot_timeline
from sensorlm_hf.plotting.pictures import picture
from sensorlm_hf.processing.captions import opening_sentence

LABELS = "running, swimming, yoga, weight lifting, tennis, a day without exercise"
TEMPLATE = "A day with {}."
QUERIES = ["a day with swimming", "someone played tennis and felt happy", "a day without exercise", "hiking and a nap"]
THIS_UPLOAD, LIBRARY = "the days I uploaded", f"{LIBRARY_DAYS} simulated days"
MOST_UPLOAD = "200mb"

logging.getLogger("sensorlm_hf.pipelines").setLevel(logging.ERROR)  # the page names the model
answers = Answers()
SAMPLES = sample_days()


# Pictures


def figure_of(day: SensorDay) -> str:
    """Plots a day; plots of the samples are cached."""
    return _sample_figure(_SAMPLE_NAMES[day.sample_id]) if day.sample_id in _SAMPLE_NAMES else _figure(day)


def _figure(day: SensorDay) -> str:
    return _wrap(picture(lambda theme, width: plot_day(day, theme=theme, width=width), describe_day(day)))


@lru_cache(maxsize=len(SAMPLES))
def _sample_figure(name: str) -> str:
    return _figure(SAMPLES[name])


_SAMPLE_NAMES = {day.sample_id: name for name, day in SAMPLES.items()}


def _wrap(drawn: str) -> str:
    return f'<div class="day">{drawn}</div>'


# Event handlers


def show_sample(name: str) -> tuple[Any, ...]:
    """Selects a sample day."""
    day = SAMPLES[name]
    return day, figure_of(day), _shown(day, f"{name}, of a synthetic subject: {title_of(day)}."), *_cleared()


def show_upload(file: str | None, zone: str | None) -> tuple[Any, ...]:
    """Reads an uploaded file; on errors, shows a message and keeps the current day."""
    keep = [gr.skip()] * 8
    if not file:
        return gr.skip(), gr.update(choices=[], value=None, visible=False), "", *keep
    try:
        upload = read_upload(file, zone, answers.processor.feature_extractor)
    except ValueError as error:
        hidden = gr.update(choices=[], value=None, visible=False)
        return (), hidden, html.status(str(error), error=True), *keep
    choices = [(title_of(day), number) for number, day in enumerate(upload.days)]
    picker = gr.update(choices=choices, value=0, visible=len(choices) > 1)
    day = upload.days[0]
    shown = _shown(day, f"From your file: {title_of(day)}.")
    return upload.days, picker, html.status(upload.message), None, day, figure_of(day), shown, *_cleared()


def show_day(days: Sequence[SensorDay], number: int | None) -> tuple[Any, ...]:
    """Selects another day of the upload."""
    if number is None or not 0 <= number < len(days):
        return (gr.skip(),) * 7
    day = days[number]
    return day, figure_of(day), _shown(day, f"From your file: {title_of(day)}."), *_cleared()


def _shown(day: SensorDay, message: str) -> str:
    """Returns the opening sentence of a day and a status line."""
    return html.opening(opening_sentence(day)) + html.status(message)


def _cleared() -> tuple[Any, ...]:
    """Clears the outputs of the previous day: scores, timeline, captions and model view."""
    return "", "", "", ""


def score(day: SensorDay, labels: str, template: str) -> tuple[str, str, str]:
    """Scores labels and plots their timeline."""
    try:
        scores, timeline = answers.score(day, labels, template)
    except (ValueError, TypeError) as error:
        return gr.skip(), gr.skip(), html.status(str(error), error=True)
    drawn = picture(
        lambda theme, width: plot_timeline(day, timeline, theme=theme, width=width),
        f"Scores of the labels {', '.join(scores)} over the day.",
    )
    best = max(scores, key=scores.__getitem__)
    return (
        html.scores(scores),
        _wrap(drawn),
        html.status(f"Top of {len(scores)} labels: {best}, {scores[best]:.0%}."),
    )


def describe(day: SensorDay, kind: str) -> tuple[str, str]:
    """Generates captions and checks their sentences."""
    try:
        remark = "" if day.events else "This day has no log, so statements about activities cannot be confirmed."
        return html.captions(answers.captions(day, kind)), html.status(remark)
    except (ValueError, TypeError) as error:
        return gr.skip(), html.status(str(error), error=True)


def search(sentence: str, where: str, uploaded: Sequence[SensorDay]) -> tuple[Any, Any, str]:
    """Searches the library or the upload."""
    try:
        if where == THIS_UPLOAD and not uploaded:
            raise ValueError("There is no upload yet: choose a file above, or search the simulated days.")
        found = answers.search(sentence, uploaded if where == THIS_UPLOAD else None)
    except (ValueError, TypeError) as error:
        return (), gr.update(choices=[], value=None, visible=False), html.status(str(error), error=True)
    choices = [(f"{item.similarity:.2f} · {title_of(item.day)}", number) for number, item in enumerate(found)]
    held = len(uploaded) if where == THIS_UPLOAD else LIBRARY_DAYS
    message = f"Top {len(found)} of {held} days, with their cosine similarity. Choose one to view it."
    return [item.day for item in found], gr.update(choices=choices, value=None, visible=True), html.status(message)


def open_found(days: Sequence[SensorDay], number: int | None) -> tuple[Any, ...]:
    """Selects a search result."""
    if number is None or not 0 <= number < len(days):
        return (gr.skip(),) * 8
    day = days[number]
    return None, day, figure_of(day), _shown(day, f"Found: {title_of(day)}."), *_cleared()


def show_model_view(day: SensorDay) -> str:
    """Plots the day as seen by the model."""
    drawn = picture(
        lambda theme, width: plot_heatmap(
            day, theme, width=width, feature_extractor=answers.processor.feature_extractor
        ),
        f"Heat map of the {len(answers.schema)} normalised channels over the day; hatched where missing.",
    )
    return _wrap(drawn)


def known_zone(zone: str | None) -> str:
    """Returns the time zone of the browser, or UTC if it is not in the list."""
    return zone if zone in ZONES else "UTC"


ZONES = time_zones()


# The page


def build() -> gr.Blocks:
    """Builds the page."""
    first = next(iter(SAMPLES))
    with gr.Blocks(title="SensorLM reads a day", analytics_enabled=False, delete_cache=(1800, 3600)) as page:
        gr.Markdown("# SensorLM reads a day\nMinute-level wearable signals, compared with language.")
        gr.HTML(html.notice(answers.is_demo_model, answers.name))
        day, uploaded, found = gr.State(SAMPLES[first]), gr.State(()), gr.State(())

        gr.Markdown("## 1. Choose a day")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=280):
                sample = gr.Radio(list(SAMPLES), value=first, label="Sample days of synthetic subjects")
            with gr.Column(min_width=280):
                zone = gr.Dropdown(ZONES, value="UTC", label="Time zone of your recording")
                file = gr.File(label="Or your own file (.zip, .csv, .parquet)", height=180)
                read = gr.HTML(elem_id="read-status")
                number = gr.Dropdown(
                    [], label=f"Day of your file (at most {MOST_DAYS})", visible=False, filterable=False
                )
        shown = gr.HTML(elem_id="day-status")
        drawn = gr.HTML(elem_id="day")
        with gr.Accordion("What the model sees", open=False) as view:
            seen = gr.HTML(elem_id="model-view")

        gr.Markdown("## 2. Describe it")
        with gr.Tab("Labels"):
            labels = gr.Textbox(LABELS, label="Labels, separated by commas", lines=2, elem_id="labels")
            template = gr.Textbox(TEMPLATE, label="Prompt template", elem_id="template")
            score_button = gr.Button("Score labels", variant="primary")
            score_status = gr.HTML(elem_id="score-status")
            scores = gr.HTML(elem_id="scores")
            timeline = gr.HTML(elem_id="timeline")
        with gr.Tab("Caption"):
            kind = gr.Radio(list(CAPTION_KINDS), value=next(iter(CAPTION_KINDS)), label="Content")
            caption_button = gr.Button("Generate captions", variant="primary")
            caption_status = gr.HTML(elem_id="caption-status")
            written = gr.HTML(elem_id="captions")
        with gr.Tab("Search"):
            sentence = gr.Textbox(label="Query sentence", elem_id="query", value=QUERIES[0])
            gr.Examples(QUERIES, sentence, label="Examples")
            where = gr.Radio([LIBRARY, THIS_UPLOAD], value=LIBRARY, label="Search in")
            search_button = gr.Button("Search", variant="primary")
            search_status = gr.HTML(elem_id="search-status")
            hits = gr.Radio([], label="Best matches", visible=False, elem_id="found")

        about = [scores, timeline, written, seen]
        chosen = [day, drawn, shown, *about]
        page.load(show_sample, sample, chosen, show_progress="hidden")
        page.load(known_zone, zone, zone, js="() => Intl.DateTimeFormat().resolvedOptions().timeZone")
        sample.input(show_sample, sample, chosen)
        given = [uploaded, number, read, sample, *chosen]
        file.upload(show_upload, [file, zone], given)
        file.clear(show_upload, [file, zone], given)
        zone.input(show_upload, [file, zone], given)
        number.input(show_day, [uploaded, number], chosen)
        view.expand(show_model_view, day, seen)
        for trigger in (score_button.click, labels.submit, template.submit):
            trigger(score, [day, labels, template], [scores, timeline, score_status])
        caption_button.click(describe, [day, kind], [written, caption_status])
        for trigger in (search_button.click, sentence.submit):
            trigger(search, [sentence, where, uploaded], [found, hits, search_status])
        hits.input(open_found, [found, hits], [sample, *chosen])
    return page


def main() -> None:
    """Starts the app on port `PORT`, 7860 by default."""
    # Embedding the library takes seconds: start before the first search.
    threading.Thread(target=answers.library, daemon=True).start()
    page = build()
    page.queue(default_concurrency_limit=2).launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME"),
        server_port=int(os.environ.get("PORT", os.environ.get("GRADIO_SERVER_PORT", "7860"))),
        max_file_size=MOST_UPLOAD,
        theme=gr.themes.Default(
            primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
        ).set(  # dark enough for white text
            button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700"
        ),
        css=html.CSS,
        show_error=False,
        footer_links=[],
    )


if __name__ == "__main__":
    main()

"""Custom HTML of the app: the notice, the highlighted sentences and the style sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from space_answers import Sentence

MARKS = {
    "confirmed": ("✓", "confirmed by the numbers or log of the day"),
    "partly": ("◐", "partly confirmed"),
    "not-confirmed": ("✗", "not confirmed"),
    "unchecked": ("·", "no checkable statement"),
}

CSS = """
.gradio-container { max-width: 1080px !important; margin: 0 auto !important; }
.notice, .captions, .status { line-height: 1.5; }
.notice { border-left: 4px solid #e69f00; padding: 8px 12px; border-radius: 4px;
  background: color-mix(in srgb, #e69f00 12%, var(--background-fill-primary)); }
.status { margin: 0; overflow-wrap: anywhere; }
.status.error { border-left: 4px solid #d55e00; padding: 8px 12px; border-radius: 4px;
  background: color-mix(in srgb, #d55e00 12%, var(--background-fill-primary)); }
.opening { margin: 0 0 6px; font-size: 1.15rem; line-height: 1.4; overflow-wrap: anywhere; }
.day picture, .day img { display: block; width: 100%; height: auto; }
.scores { list-style: none; margin: 0; padding: 0; font-variant-numeric: tabular-nums; }
.scores li { display: grid; grid-template-columns: minmax(90px, 30%) 1fr 44px; gap: 10px; align-items: center;
  padding: 3px 0; overflow-wrap: anywhere; }
.scores li > :last-child { text-align: right; }
.scores .bar { height: 12px; border-radius: 6px; overflow: hidden; display: block;
  background: color-mix(in srgb, #0072b2 14%, var(--background-fill-primary)); }
.scores .bar > span { display: block; height: 100%; background: #0072b2; min-width: 2px; }
.captions h3 { margin: 12px 0 4px; font-size: 1rem; }
.captions ul { list-style: none; margin: 0; padding: 0; }
.captions li { padding: 4px 8px 4px 32px; position: relative; border-radius: 4px; margin-bottom: 3px;
  overflow-wrap: anywhere; }
.captions li > .mark { position: absolute; left: 10px; font-weight: 700; }
.captions .confirmed { background: color-mix(in srgb, #009e73 16%, var(--background-fill-primary)); }
.captions .partly { background: color-mix(in srgb, #e69f00 16%, var(--background-fill-primary)); }
.captions .not-confirmed { background: color-mix(in srgb, #d55e00 16%, var(--background-fill-primary)); }
.captions .legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 12px; font-size: .9rem; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
/* Gradio leaves the list of a dropdown open when the Tab key leaves it, over whatever comes next. */
.block:not(:has([role="combobox"]:focus)) [role="listbox"] { display: none; }
[role="combobox"] { text-overflow: ellipsis; margin-inline-end: 20px; }
.upload-container .or { color: inherit; }
#read-status:not(:has(.status)) { display: none; }
#found .wrap { display: grid; grid-template-columns: 1fr; gap: 6px; }
#found label { width: 100%; }
#found label > span { white-space: normal; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid #0072b2 !important; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { :focus-visible { outline-color: #56b4e9 !important; } }
footer { display: none !important; }
"""


def notice(is_demo_model: bool, model: str) -> str:
    """Describes where data is processed, and the limits of the model."""
    trained = (
        "The model was trained on <strong>synthetic subjects only</strong> and may not work well on real recordings."
        if is_demo_model
        else f"The model is <code>{escape(model)}</code>; its quality depends on its training data."
    )
    return (
        '<div class="notice">Everything is computed by the machine that runs this app; it calls no other service.'
        f" Uploads are processed here and deleted within an hour. {trained} Not a medical device.</div>"
    )


def status(message: str, *, error: bool = False) -> str:
    """Formats a status line; errors are announced by screen readers. Empty without a message."""
    if not message:
        return ""
    if error:
        return f'<p class="status error" role="alert">{escape(message)}</p>'
    return f'<p class="status" role="status">{escape(message)}</p>'


def opening(sentence: str) -> str:
    """Formats the opening sentence of a day."""
    return f'<p class="opening">{escape(sentence)}</p>'


def scores(found: Mapping[str, float]) -> str:
    """Formats labels and scores as a bar chart, in descending order."""
    rows = "".join(
        f'<li><span>{escape(label)}</span><span class="bar" aria-hidden="true"><span style="width:{score:.1%}"></span>'
        f"</span><span>{score:.0%}</span></li>"
        for label, score in sorted(found.items(), key=lambda item: -item[1])
    )
    return f'<ol class="scores" aria-label="Scores, which sum to 1">{rows}</ol>'


def captions(written: Sequence[tuple[str, Sequence[Sentence]]]) -> str:
    """Formats the sentences of captions with their marks and a legend."""
    parts = []
    for author, sentences in written:
        rows = "".join(_row(sentence) for sentence in sentences)
        parts.append(f"<h3>{escape(author)}</h3><ul>{rows}</ul>")
    legend = "".join(
        f'<span aria-hidden="true"><strong>{mark}</strong> {escape(meaning)}</span>' for mark, meaning in MARKS.values()
    )
    return f'<div class="captions">{"".join(parts)}<div class="legend">{legend}</div></div>'


def _row(sentence: Sentence) -> str:
    if sentence.claims == 0:
        verdict = "unchecked"
    elif sentence.confirmed in (0, sentence.claims):
        verdict = "confirmed" if sentence.confirmed else "not-confirmed"
    else:
        verdict = "partly"
    mark, meaning = MARKS[verdict]
    share = f" <small>({sentence.confirmed} of {sentence.claims} statements confirmed)</small>" * (verdict == "partly")
    return (
        f'<li class="{verdict}"><span class="mark" aria-hidden="true">{mark}</span>{escape(sentence.text)}{share}'
        f' <span class="visually-hidden">({escape(meaning)})</span></li>'
    )

"""Wording: contents of a language file, and preparation of its sentences for numbers.

A language is one file in `languages/` with a [`Wording`] named `WORDING`; its file name is its code. Sentences are
templates with named slots:

| sentence | slots |
|---|---|
| `statistics` | `{mean}` `{max}` `{min}` `{std}` and the slots of the channel's label |
| `trends` | `{span}` `{start}` `{end}`, the label's slots and those of the trend's type |
| `anomalies` | `{time}` or `{moment}`, the label's slots and those of the anomaly's type |
| `activities`, `sleeps` | `{label}` `{span}` `{start}` `{end}` |
| `moods` | `{label}`, and `{time}` or `{moment}` |
| `summaries` | `{items}`; `summaries_with_moods`: `{items}` `{moods}`; `summaries_of_moods`: `{moods}` |
| `gaps` | `{span}` `{start}` `{end}` |
| `no_events`, `no_structure`, `no_data` | none |

`{span}` is two times joined ("minutes 400 and 600"), `{start}`, `{end}` and `{time}` are one ("minute 400"), and
`{moment}` is one with its preposition ("at minute 400"), for languages whose preposition depends on the time format. A
slot written with a capital (`{Label}`) begins with a capital letter.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pkgutil
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

TIME_FORMATS = ("minutes", "clock")
"""Time formats of captions: minutes from the window's start, or wall-clock times."""

_SPAN = frozenset({"span", "start", "end"})
_MOMENT = frozenset({"time", "moment"})
_SLOTS: dict[str, frozenset[str]] = {
    "statistics": frozenset({"mean", "max", "min", "std"}),
    "trends": _SPAN,
    "anomalies": _MOMENT,
    "activities": _SPAN | {"label"},
    "sleeps": _SPAN | {"label"},
    "moods": _MOMENT | {"label"},
    "summaries": frozenset({"items"}),
    "summaries_with_moods": frozenset({"items", "moods"}),
    "summaries_of_moods": frozenset({"moods"}),
    "gaps": _SPAN,
    "no_events": frozenset(),
    "no_structure": frozenset(),
    "no_data": frozenset(),
}
# Required slots, without which a sentence would lack its fact: for a span either both ends or the pair, for a point
# in time one of the two.
_REQUIRED: dict[str, frozenset[str]] = {
    "statistics": _SLOTS["statistics"],
    "activities": frozenset({"label"}),
    "sleeps": frozenset({"label"}),
    "moods": frozenset({"label"}),
    "summaries": _SLOTS["summaries"],
    "summaries_with_moods": _SLOTS["summaries_with_moods"],
    "summaries_of_moods": _SLOTS["summaries_of_moods"],
}

SlotValues = Mapping[str, str]


@dataclass(frozen=True)
class Wording:
    """All sentences and words of a language.

    Attributes:
        name: Name of the language, in English.
        statistics: Sentences with the four statistics of a channel.
        trends: Sentences for a trend.
        anomalies: Sentences for a peak or drop.
        activities: Sentences for a logged activity.
        sleeps: Sentences for logged sleep.
        moods: Sentences for a logged mood.
        summaries: Sentences that list the logged events.
        summaries_with_moods: The same with moods.
        summaries_of_moods: The same with moods only.
        gaps: Sentences for a span without data.
        no_events: Sentences for a day on which nothing was logged.
        no_structure: Sentences for a day without trends and anomalies.
        no_data: Sentences for a day on which nothing was observed.
        label: Converts a channel's label to slots: `{"label": "heart rate"}` and any grammatical cases of the language.
        noun: Converts the label of an activity or sleep to a noun phrase: `"nap"` into `"a nap"`.
        mood: Converts the label of a mood to the word that follows the verb.
        trend_words: Type of trend -> alternatives, each a dict of slots such as `{"a_trend": "an increasing trend"}`.
        anomaly_words: Type of anomaly -> alternatives, likewise.
        groups: Caption group -> heading.
        units: Unit in the schema -> text after a number; units that are not listed are omitted.
        span: Time format -> template of two times, with `{start}` and `{end}`.
        time: Time format -> template of one time, with `{time}`.
        join: Joins phrases: `["a", "b", "c"]` into `"a, b and c"`.
        decimal: Decimal separator.
        moment: Time format -> template of one time with its preposition, with `{time}`; needed by sentences with a
            `{moment}`.
        opening: Writes the opening sentence of a day, called as [`opening_sentence`] is; None if the language has none.
    """

    name: str
    statistics: Sequence[str]
    trends: Sequence[str]
    anomalies: Sequence[str]
    activities: Sequence[str]
    sleeps: Sequence[str]
    moods: Sequence[str]
    summaries: Sequence[str]
    summaries_with_moods: Sequence[str]
    summaries_of_moods: Sequence[str]
    gaps: Sequence[str]
    no_events: Sequence[str]
    no_structure: Sequence[str]
    no_data: Sequence[str]
    label: Callable[[str], SlotValues]
    noun: Callable[[str], str]
    mood: Callable[[str], str]
    trend_words: Mapping[str, Sequence[SlotValues]]
    anomaly_words: Mapping[str, Sequence[SlotValues]]
    groups: Mapping[str, str]
    units: Mapping[str, str]
    span: Mapping[str, str]
    time: Mapping[str, str]
    join: Callable[[Sequence[str]], str]
    decimal: str = "."
    moment: Mapping[str, str] | None = None
    opening: Callable[..., str] | None = None

    def __post_init__(self) -> None:
        from ...schema import CAPTION_GROUPS
        from .structure import ANOMALY_TYPES, TREND_TYPES

        if self.opening is not None and not callable(self.opening):
            raise TypeError(f"Wording {self.name!r}: `opening` must be a function or None, got {self.opening!r}.")
        for kind, slots in _SLOTS.items():
            sentences = getattr(self, kind)
            if isinstance(sentences, str) or not sentences:
                raise ValueError(f"Wording {self.name!r}: `{kind}` must be a list of at least one sentence.")
            extra = set()
            if kind in ("statistics", "trends", "anomalies"):
                extra |= set(self.label("x"))
            for words in {"trends": self.trend_words, "anomalies": self.anomaly_words}.get(kind, {}).values():
                extra |= {slot for word in words for slot in word}
            for position, sentence in enumerate(sentences):
                self._check(f"{kind}[{position}]", sentence, slots | extra, _REQUIRED.get(kind, frozenset()))
                used = slots_of(sentence)
                if slots >= _SPAN and "span" not in used and not used >= {"start", "end"}:
                    raise ValueError(
                        f"Wording {self.name!r}: {kind}[{position}] {sentence!r} needs {{span}}, or {{start}} and"
                        " {end}."
                    )
                if slots >= _MOMENT and not used & _MOMENT:
                    raise ValueError(
                        f"Wording {self.name!r}: {kind}[{position}] {sentence!r} lacks the slots ['time']."
                    )
                if "moment" in used and self.moment is None:
                    raise ValueError(
                        f"Wording {self.name!r}: {kind}[{position}] {sentence!r} has a {{moment}}; give `moment`, or"
                        " write {time}."
                    )
        for name, expected in (
            ("trend_words", TREND_TYPES),
            ("anomaly_words", ANOMALY_TYPES),
            ("groups", CAPTION_GROUPS),
            ("span", TIME_FORMATS),
            ("time", TIME_FORMATS),
            *([("moment", TIME_FORMATS)] if self.moment is not None else []),
        ):
            missing = [key for key in expected if key not in getattr(self, name)]
            if missing:
                raise ValueError(f"Wording {self.name!r}: `{name}` lacks {', '.join(missing)}.")
        for time_format in TIME_FORMATS:
            self._check(f"span[{time_format}]", self.span[time_format], {"start", "end"}, frozenset({"start", "end"}))
            self._check(f"time[{time_format}]", self.time[time_format], {"time"}, frozenset({"time"}))
            if self.moment is not None:
                self._check(f"moment[{time_format}]", self.moment[time_format], {"time"}, frozenset({"time"}))

    def _check(self, where: str, sentence: str, allowed: set[str] | frozenset[str], needed: frozenset[str]) -> None:
        used = slots_of(sentence)
        if used - allowed:
            raise ValueError(
                f"Wording {self.name!r}: {where} {sentence!r} has unknown slots {sorted(used - allowed)}; allowed are"
                f" {', '.join(sorted(allowed)) or 'none'}."
            )
        if needed - used:
            raise ValueError(f"Wording {self.name!r}: {where} {sentence!r} lacks the slots {sorted(needed - used)}.")

    def signature(self) -> str:
        """Returns a short hash of all sentences and words: captions cached with a different one are outdated."""
        digest = hashlib.blake2b(digest_size=8)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "opening" and value is None:
                continue
            digest.update((repr(value) if not callable(value) else _source_of(value)).encode())
        return digest.hexdigest()


def _source_of(function: Callable[..., Any]) -> str:
    """Returns the source of the module that defines a function, including its tables of words, or its compiled code."""
    try:
        return inspect.getsource(inspect.getmodule(function) or function)
    except (OSError, TypeError):  # defined interactively or generated
        code = getattr(function, "__code__", None)
        return type(function).__qualname__ if code is None else f"{code.co_code.hex()} {code.co_names}"


def slots_of(sentence: str) -> set[str]:
    """Returns the names of a template's slots, in lower case.

    Raises:
        ValueError: If the template is malformed.
    """
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}
    except ValueError as error:
        raise ValueError(
            f"Template {sentence!r} is malformed: {error}. Write {{slot}}; double literal braces."
        ) from None
    if any(not name.isidentifier() for name in names):
        raise ValueError(f"Template {sentence!r} has an invalid slot; write {{slot}}, and double literal braces.")
    return {name[0].lower() + name[1:] for name in names}


def capitalised(text: str) -> str:
    """Returns the text with a capital first letter, unless its first word has its own capitalisation (`pNN20`)."""
    word = re.match(r"[^\W\d_]*", text)
    return text[:1].upper() + text[1:] if word is None or word.group().islower() else text


def prepare(sentence: str, **known: str) -> str:
    """Fills the given slots and leaves the others as `%(slot)s`, ready for the `%` operator.

    Args:
        sentence: The template.
        **known: Values of slots; capitalised if the slot starts with a capital letter.

    Returns:
        The sentence as a `%` format.
    """
    parts = []
    for text, slot, _, _ in string.Formatter().parse(sentence):
        parts.append(text.replace("%", "%%"))
        if slot is None:
            continue
        name = slot[0].lower() + slot[1:]
        if name in known:
            value = known[name].replace("%", "%%")
            parts.append(capitalised(value) if slot != name else value)
        else:
            parts.append(f"%({slot})s")
    return "".join(parts)


def prepare_timed(sentence: str, wording: Wording, time_format: str, **known: str) -> str:
    """Like [`prepare`], but also formats `{span}`, `{start}`, `{end}`, `{time}` and `{moment}`.

    The remaining slots are the bare times, `%(start)s`, `%(end)s` and `%(time)s`.
    """
    one = wording.time[time_format]
    two = wording.span[time_format]
    phrases = {
        "{span}": two,
        "{start}": one.replace("{time}", "{start}"),
        "{end}": one.replace("{time}", "{end}"),
        "{time}": one,
        "{moment}": (wording.moment or wording.time)[time_format],
    }
    phrases |= {slot[0] + slot[1].upper() + slot[2:]: capitalised(phrase) for slot, phrase in phrases.items()}
    expanded = re.sub(
        r"\{([sS]pan|[sS]tart|[eE]nd|[tT]ime|[mM]oment)\}", lambda match: phrases[match.group()], sentence
    )
    return prepare(expanded, **known)


_REGISTERED: dict[str, Wording] = {}


def list_languages() -> tuple[str, ...]:
    """Returns the codes of all supported caption languages."""
    from . import languages

    return tuple(sorted({module.name for module in pkgutil.iter_modules(languages.__path__)} | set(_REGISTERED)))


def get_wording(language: str) -> Wording:
    """Returns the wording of a language.

    Args:
        language: Its code, the name of a file in `languages/` or one given to [`register_language`].

    Raises:
        ValueError: If there is no such language.
    """
    if language in _REGISTERED:
        return _REGISTERED[language]
    if language not in list_languages():
        raise ValueError(
            f"Captions are not available in language {language!r}, only in {', '.join(list_languages())}. To add one,"
            " write a Wording and pass it to register_language, or as CaptionBuilder(templates=...)."
        )
    return importlib.import_module(f".languages.{language}", __package__).WORDING


def register_language(code: str, wording: Wording) -> None:
    """Adds or replaces a language in this process.

    Args:
        code: Its code, such as `"fr"`.
        wording: Its words.
    """
    if not isinstance(wording, Wording):
        raise TypeError(f"`wording` must be a Wording, got {type(wording).__name__}.")
    if not isinstance(code, str) or not code.strip():
        raise ValueError(f"`code` must be a non-empty string, got {code!r}.")
    _REGISTERED[code] = wording

"""Parses captions into claims, using the templates of the caption builder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from ..processing.captions import Wording, get_wording
from ..processing.captions.templates import TIME_FORMATS, prepare, prepare_timed
from ..schema import SensorSchema, get_schema

STATISTICS = ("mean", "max", "min", "std")
"""Statistics of a channel, as named in [`CaptionBuilder.facts`]."""

_SLOT = re.compile(r"%\((\w+)\)s")
_ANYTHING = r"[^.;:!?]+?"
_EVENT_KINDS = ("activities", "sleeps")


@dataclass(frozen=True)
class Claim:
    """A statement of a caption that can be checked against the facts.

    Attributes:
        kind: `"number"`, `"trend"`, `"anomaly"`, `"event"`, `"mood"`, `"gap"`, `"absence"` (nothing was logged, nothing
            stands out, nothing was recorded) or `"unread"` (a number in a sentence that matches no template).
        subject: Key of the channel, or the lowercase phrase of an event or mood; empty for other kinds.
        what: The statistic, or the type of trend, anomaly or absence; empty for other kinds.
        value: The number.
        start: First minute, or clock time in minutes of the day if `clock`; None if no time is given.
        end: Last minute, in the same format.
        clock: Whether the times are wall-clock times.
    """

    kind: str
    subject: str = ""
    what: str = ""
    value: float = float("nan")
    start: int | None = None
    end: int | None = None
    clock: bool = False


@dataclass(frozen=True)
class _Pattern:
    regex: re.Pattern[str]
    kind: str
    what: str
    literal: int
    clock: bool


class ClaimReader:
    """Parses claims from captions of one schema and language.

    Case is ignored, since tokenizers may lowercase. Text that matches several templates is parsed by the one with the
    longest literal text.

    Args:
        schema: Schema of the channels in the captions.
        language: Language code, or a [`Wording`].
    """

    def __init__(self, schema: str | SensorSchema = "sensorlm-26", language: str | Wording = "en") -> None:
        self.schema = get_schema(schema)
        self.wording = language if isinstance(language, Wording) else get_wording(language)
        self._channels: dict[tuple[str, str], str] = {}
        for channel in self.schema:
            for slot, text in self.wording.label(channel.label).items():
                self._channels.setdefault((slot, text.lower()), channel.key)
        self._patterns = self._compile()
        joined = self.wording.join(["\0", "\1", "\2"])
        separators = {part for part in re.split("[\0\1\2]", joined.lower()) if part}
        self._between = re.compile("|".join(re.escape(s) for s in sorted(separators, key=len, reverse=True)))

    def __call__(self, caption: str) -> list[Claim]:
        """Returns the claims of a caption, in order of occurrence.

        Raises:
            TypeError: If the caption is not a string.
        """
        if not isinstance(caption, str):
            raise TypeError(f"A caption must be a string, got {type(caption).__name__}.")
        text = " ".join(caption.lower().split())
        found = [(pattern, match) for pattern in self._patterns for match in pattern.regex.finditer(text)]
        found.sort(key=lambda item: (-item[0].literal, item[1].start(), item[1].start() - item[1].end()))
        taken = bytearray(len(text))
        chosen = []
        for pattern, match in found:
            if not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
                chosen.append((match.start(), self._claims(pattern, match)))
        for match in re.finditer(r"\d+(?:[.,:]\d+)*", text):
            if not any(taken[match.start() : match.end()]):
                chosen.append((match.start(), [Claim("unread")]))
        return [claim for _, claims in sorted(chosen, key=lambda item: item[0]) for claim in claims]

    # Parsing a match

    def _claims(self, pattern: _Pattern, match: re.Match[str]) -> list[Claim]:
        groups = match.groupdict()
        if pattern.kind == "absence":
            return [Claim("absence", what=pattern.what)]
        if pattern.kind == "list":
            claims = [Claim("event", subject=phrase) for phrase in self._phrases(groups.get("items"))]
            return claims + [Claim("mood", subject=phrase) for phrase in self._phrases(groups.get("moods"))]
        times = {
            "start": self._time(groups.get("start") or groups.get("time"), pattern.clock),
            "end": self._time(groups.get("end") or groups.get("time"), pattern.clock),
            "clock": pattern.clock,
        }
        if pattern.kind in ("event", "mood"):
            return [Claim(pattern.kind, subject=groups["label"].strip(), **times)]  # type: ignore[arg-type]
        if pattern.kind == "gap":
            return [Claim("gap", **times)]  # type: ignore[arg-type]
        key = next(self._channels[slot, text] for slot, text in groups.items() if (slot, text) in self._channels)
        if pattern.kind == "number":
            numbers = {name: float(groups[name].replace(self.wording.decimal, ".")) for name in STATISTICS}
            return [Claim("number", key, name, value) for name, value in numbers.items()]
        return [Claim(pattern.kind, key, pattern.what, **times)]  # type: ignore[arg-type]

    def _phrases(self, text: str | None) -> list[str]:
        return [] if text is None else [part.strip() for part in self._between.split(text) if part.strip()]

    @staticmethod
    def _time(text: str | None, clock: bool) -> int | None:
        if text is None:
            return None
        hours, _, minutes = text.rpartition(":")
        return int(hours or 0) * 60 + int(minutes) if clock else int(text)

    # Building the patterns

    def _compile(self) -> list[_Pattern]:
        words = self.wording
        patterns = [self._pattern(prepare(s), "number") for s in words.statistics]
        for kind, sentences, table in (
            ("trend", words.trends, words.trend_words),
            ("anomaly", words.anomalies, words.anomaly_words),
        ):
            for sentence, (what, choices), time in product(sentences, table.items(), TIME_FORMATS):
                for slots in choices:
                    text = prepare_timed(sentence, words, time, **slots)
                    patterns.append(self._pattern(text, kind, what, clock=time == "clock"))
        for kind, time in product((*_EVENT_KINDS, "moods", "gaps"), TIME_FORMATS):
            named = {"moods": "mood", "gaps": "gap"}.get(kind, "event")
            for sentence in getattr(words, kind):
                patterns.append(self._pattern(prepare_timed(sentence, words, time), named, clock=time == "clock"))
        for kind in ("summaries", "summaries_with_moods", "summaries_of_moods"):
            patterns += [self._pattern(prepare(s), "list") for s in getattr(words, kind)]
        for kind in ("no_events", "no_structure", "no_data"):
            patterns += [self._pattern(prepare(s), "absence", kind) for s in getattr(words, kind)]
        return list({pattern.regex.pattern: pattern for pattern in patterns}.values())

    def _pattern(self, text: str, kind: str, what: str = "", *, clock: bool = False) -> _Pattern:
        """Turns a `%` format into a regular expression with a group for each slot."""
        text = _SLOT.sub(lambda match: f"%({match[1][0].lower()}{match[1][1:]})s", text)
        parts: list[str] = []
        literal, last = 0, 0
        for match in _SLOT.finditer(text):
            parts.append(re.escape(text[last : match.start()].replace("%%", "%").lower()))
            literal += match.start() - last
            parts.append(self._group(match[1], kind, clock))
            last = match.end()
        parts.append(re.escape(text[last:].replace("%%", "%").lower()))
        literal += len(text) - last
        return _Pattern(re.compile(rf"(?<!\w){''.join(parts)}"), kind, what, literal, clock)

    def _group(self, slot: str, kind: str, clock: bool) -> str:
        if slot in STATISTICS:
            units = "|".join(re.escape(unit.lower()) for unit in sorted(self.wording.units.values(), key=len)[::-1])
            return rf"(?P<{slot}>-?\d+(?:{re.escape(self.wording.decimal)}\d+)?)(?:{units})?"
        if slot in ("start", "end", "time"):
            return rf"(?P<{slot}>\d{{1,2}}:\d\d)" if clock else rf"(?P<{slot}>\d+)"
        if kind in ("number", "trend", "anomaly"):
            known = sorted((text for name, text in self._channels if name == slot), key=len, reverse=True)
            return rf"(?P<{slot}>{'|'.join(map(re.escape, known))})"
        return rf"(?P<{slot}>{_ANYTHING})"


@lru_cache(maxsize=8)
def claim_reader(schema: SensorSchema, language: str = "en") -> ClaimReader:
    """Returns the cached reader of a schema and language; building one takes about 0.1 s."""
    return ClaimReader(schema, language)


def claims_of(
    captions: Sequence[str], schema: str | SensorSchema = "sensorlm-26", language: str = "en"
) -> list[list[Claim]]:
    """Returns the claims of each caption; see [`ClaimReader`]."""
    reader = claim_reader(get_schema(schema), language)
    return [reader(caption) for caption in captions]

"""Turns facts into sentences: selects channels and events, their wording and the importance of each sentence."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from ...days import Event
from ...schema import CAPTION_GROUPS, SensorSchema
from .budget import Sentence, estimate_tokens
from .facts import FactTable
from .structure import ANOMALY_TYPES, TREND_TYPES
from .templates import Wording, prepare, prepare_timed

EXTRA_CHANNELS = {"Heart": 2, "Activity": 1, "EDA": 1}
"""Caption group -> number of randomly sampled channels, in addition to those described in every caption."""

MAX_INSIGHTS = 7
"""Maximum number of trends and anomalies per caption group."""

MIN_ACTIVITY_MINUTES = 20
"""Minimum duration of an included activity, in minutes inside the window."""

MAX_ACTIVITIES, MAX_SLEEPS, MAX_MOODS = 8, 2, 8
"""Maximum number of activities, sleeps and moods (of names, in summaries): the longest activities and sleeps, and the
first moods."""

MIN_GAP_MINUTES = 10
"""Minimum duration of an included span without any data."""

MAX_GAPS = 3
"""Maximum number of spans without data; the longest are kept."""

Clock = Callable[[int], str]
"""Formats a minute of the window for a caption."""

_PLAIN = (-1, None)
_STATISTICS = ("mean", "max", "min", "std")
_NUMBER_SLOTS = frozenset({*_STATISTICS, "start", "end", "time"})
_SLOT = re.compile(r"%\((\w+)\)s")
_DRAWS = struct.Struct("<64H")
# Weights: logged events are the most important, followed by the strongest facts of the channels that are always
# described, their weaker facts, and the facts of randomly sampled channels.
_WEIGHT_OPENING = -1.0
_WEIGHT_LOGGED, _WEIGHT_FIXED, _WEIGHT_GAP, _WEIGHT_EXTRA, _WEIGHT_EMPTY = 0.0, 3.0, 3.4, 20.0, 40.0

Template = tuple[str, int]
"""A sentence as a `%` format, and the estimated tokens of its words."""


def random_numbers(seed: int, sample_id: str, purpose: str) -> tuple[int, ...]:
    """Returns 64 random numbers below 65536 that depend only on the arguments.

    They are the first bytes of SHAKE-128 over the arguments: identical on every machine, and about twenty times cheaper
    to set up than a numpy generator, which matters because every caption needs a separate stream.
    """
    name = f"{seed}\0{sample_id}\0{purpose}".encode("utf-8", "surrogatepass")
    return _DRAWS.unpack(hashlib.shake_128(name).digest(_DRAWS.size))


class RandomChoices:
    """Chooses from lists with the numbers of [`random_numbers`], starting over after the last one.

    Attributes:
        position: Number of choices made so far.
    """

    __slots__ = ("_numbers", "position")

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self._numbers = numbers
        self.position = 0

    def next(self) -> int:
        """Returns the next number."""
        number = self._numbers[self.position & 63]
        self.position += 1
        return number

    def pick(self, choices: Sequence[Template]) -> Template:
        """Returns one of the choices."""
        return choices[self.next() % len(choices)]


class DescribedChannel(NamedTuple):
    """A channel that a caption describes.

    Attributes:
        channel: Column of the channel.
        group: Position of its caption group.
        weight: Weight of its sentences.
    """

    channel: int
    group: int
    weight: float


Insight = tuple[bool, int, int, int, float]
"""A trend or anomaly: whether it is a trend, type, start (or minute), end and strength."""


class SentenceWriter:
    """Writes the sentences of captions for a schema and a language. It has no state per caption."""

    def __init__(
        self,
        schema: SensorSchema,
        wording: Wording,
        *,
        time_format: str = "minutes",
        units: bool = False,
        extra_channels: Mapping[str, int] = EXTRA_CHANNELS,
    ) -> None:
        self.schema = schema
        self.wording = wording
        self._time_format = time_format
        self._units = units
        self._groups = []
        # Both levels list the same groups, with separate headings.
        self._middle: list[tuple[int, str | None]] = []
        self._low: list[tuple[int, str | None]] = []
        for position, group in enumerate(CAPTION_GROUPS):
            self._middle.append((position, wording.groups[group]))
            self._low.append((len(CAPTION_GROUPS) + position, wording.groups[group]))
            members = [i for i, channel in enumerate(schema) if channel.group == group]
            always = [i for i in members if schema.channels[i].in_every_caption]
            fixed = [DescribedChannel(c, position, _WEIGHT_FIXED + 0.1 * i) for i, c in enumerate(always)]
            others = [i for i in members if not schema.channels[i].in_every_caption]
            self._groups.append((position, fixed, others, extra_channels.get(group, 0)))
        self._labels = [dict(wording.label(channel.label)) for channel in schema]
        # Filled when a channel is first described.
        self._statistics: list[Any] = [None] * len(schema)
        self._trends: list[list[list[Template]]] = [[[] for _ in TREND_TYPES] for _ in schema]
        self._anomalies: list[list[list[Template]]] = [[[] for _ in ANOMALY_TYPES] for _ in schema]
        self._logged = {
            kind: [self._template(prepare_timed(s, wording, time_format)) for s in getattr(wording, kind)]
            for kind in ("activities", "sleeps", "moods", "gaps")
        }
        self._lists = {
            kind: [self._template(prepare(s)) for s in getattr(wording, kind)]
            for kind in (
                "summaries",
                "summaries_with_moods",
                "summaries_of_moods",
                "no_events",
                "no_structure",
                "no_data",
            )
        }
        self._noun = lru_cache(maxsize=4096)(self._describe(wording.noun))
        self._mood = lru_cache(maxsize=4096)(self._describe(wording.mood))

    @staticmethod
    def _describe(word: Callable[[str], str]) -> Callable[[str], tuple[str, str, int]]:
        def describe(label: str) -> tuple[str, str, int]:
            phrase = " ".join(word(label).split())
            return phrase, phrase[:1].upper() + phrase[1:], estimate_tokens(phrase)

        return describe

    @staticmethod
    def _template(text: str) -> Template:
        # A number costs one token per character plus one for the preceding space.
        numbers = sum(slot in _NUMBER_SLOTS for slot in _SLOT.findall(text))
        return text, estimate_tokens(_SLOT.sub("", text).replace("%%", "%")) + numbers

    def choose(self, observed: Sequence[bool], numbers: tuple[int, ...]) -> list[DescribedChannel]:
        """Chooses the channels of a caption: those that are always included, and some at random.

        Args:
            observed: Whether each channel has any observed value; others are skipped.
            numbers: From [`random_numbers`].

        Returns:
            The channels by group, fixed ones before random ones, both in schema order.
        """
        described: list[DescribedChannel] = []
        at = 0
        all_observed = all(observed)
        for group, fixed, others, wanted in self._groups:
            described += fixed if all_observed else [channel for channel in fixed if observed[channel[0]]]
            if not wanted or not others:
                continue
            pool = others.copy()
            drawn: list[int] = []
            while pool and len(drawn) < wanted:
                c = pool.pop(numbers[at & 63] % len(pool))
                at += 1
                if observed[c]:
                    drawn.append(c)
            drawn.sort()
            described += [DescribedChannel(c, group, _WEIGHT_EXTRA + 0.1 * i) for i, c in enumerate(drawn)]
        return described

    # Statistical level

    def statistical(
        self, numbers: Sequence[Sequence[float]], described: Sequence[DescribedChannel], stream: RandomChoices
    ) -> list[Sentence]:
        """Writes mean, max, min and standard deviation of each channel.

        Args:
            numbers: `(channels, 4)`: mean, max, min, std, without negative zeros.
            described: The channels.
            stream: Random choices for the wording.
        """
        sentences = []
        point = self.wording.decimal
        draw, low = stream.next, self._low
        for (c, group, weight), row in zip(described, numbers, strict=True):
            templates = self._statistics[c] or self._statistic_templates(c)
            template, cost, arrange = templates[draw() % len(templates)]
            if point == ".":
                text = template % arrange(row)
            else:
                text = template % tuple([f"{number:.1f}".replace(".", point) for number in arrange(row)])
            sentences.append(Sentence(low[group], weight, cost + len(text), text))
        return sentences

    def _statistic_templates(self, c: int) -> list[tuple[str, int, Callable[[Sequence[float]], tuple[float, ...]]]]:
        """Templates whose slots are open in the order of their text, the tokens less the letters, and that order."""
        unit = self.wording.units.get(self.schema.channels[c].unit, "") if self._units else ""
        number = "%.1f" if self.wording.decimal == "." else "%s"
        templates: list[tuple[str, int, Callable[[Sequence[float]], tuple[float, ...]]]] = []
        for sentence in self.wording.statistics:
            text = prepare(sentence, **self._labels[c])
            order = [_STATISTICS.index(slot) for slot in _SLOT.findall(text)]
            text = _SLOT.sub(lambda match: match.group() + unit.replace("%", "%%"), text)
            _, cost = self._template(text)
            words = _SLOT.sub("", text).replace("%%", "%")
            # A number costs a token per character, so the sentence costs what its words do and as many tokens as it is
            # longer than them.
            templates.append((_SLOT.sub(number, text), cost - len(words), itemgetter(*order)))
        self._statistics[c] = templates
        return templates

    # Structural level

    def structural(
        self,
        insights: Sequence[Sequence[Insight]],
        described: Sequence[DescribedChannel],
        stream: RandomChoices,
        clock: Clock,
    ) -> list[Sentence]:
        """Writes the trends and anomalies of each channel, at most seven per group.

        Within a group, the strongest of each channel are selected first, then the second strongest, and so on; the
        selected ones keep their order.

        Args:
            insights: Insights of each channel, trends first.
            described: The channels.
            stream: Random choices for the wording.
            clock: Formats the times.
        """
        groups: dict[int, list[tuple[int, float, DescribedChannel, Insight]]] = {}
        for channel, own in zip(described, insights, strict=True):
            if not own:
                continue
            found = groups.setdefault(channel.group, [])
            if len(own) == 1:
                found.append((0, -own[0][4], channel, own[0]))
                continue
            strengths = [-insight[4] for insight in own]
            places = [0] * len(own)
            for place, i in enumerate(sorted(range(len(own)), key=strengths.__getitem__)):
                places[i] = place
            found += [(places[i], strengths[i], channel, insight) for i, insight in enumerate(own)]
        sentences = []
        for group, found in groups.items():
            if len(found) > MAX_INSIGHTS:
                best = sorted(range(len(found)), key=[item[:2] for item in found].__getitem__)[:MAX_INSIGHTS]
                found = [found[i] for i in sorted(best)]
            for place, strength, channel, (is_trend, kind, start, end, _) in found:
                c = channel.channel
                if is_trend:
                    templates = self._trends[c][kind] or self._trend_templates(c, kind)
                    text, cost = templates[stream.next() % len(templates)]
                    first, last = clock(start), clock(end)
                    cost += len(first) + len(last)
                    text %= {"start": first, "end": last}
                else:
                    templates = self._anomalies[c][kind] or self._anomaly_templates(c, kind)
                    text, cost = templates[stream.next() % len(templates)]
                    first = clock(start)
                    cost += len(first)
                    text %= {"time": first}
                weight = channel.weight + 1.5 * place + 0.5 * max(0.0, 1 + strength)
                sentences.append(Sentence(self._middle[group], weight, cost, text))
        return sentences

    def _trend_templates(self, c: int, kind: int) -> list[Template]:
        templates = [
            self._template(prepare_timed(sentence, self.wording, self._time_format, **self._labels[c], **words))
            for sentence in self.wording.trends
            for words in self.wording.trend_words[TREND_TYPES[kind]]
        ]
        self._trends[c][kind] = templates
        return templates

    def _anomaly_templates(self, c: int, kind: int) -> list[Template]:
        templates = [
            self._template(prepare_timed(sentence, self.wording, self._time_format, **self._labels[c], **words))
            for sentence in self.wording.anomalies
            for words in self.wording.anomaly_words[ANOMALY_TYPES[kind]]
        ]
        self._anomalies[c][kind] = templates
        return templates

    def gaps(self, spans: Sequence[tuple[int, int]], stream: RandomChoices, clock: Clock) -> list[Sentence]:
        """Writes the longest spans in which no channel was observed."""
        long = [span for span in spans if span[1] - span[0] >= MIN_GAP_MINUTES]
        described = sorted(sorted(long, key=lambda span: (span[0] - span[1], span[0]))[:MAX_GAPS])
        return [
            self._timed("gaps", stream, clock, start, end, _WEIGHT_GAP + 0.01 * i)
            for i, (start, end) in enumerate(described)
        ]

    def _timed(
        self,
        kind: str,
        stream: RandomChoices,
        clock: Clock,
        start: int,
        end: int,
        weight: float,
        label: str | None = None,
    ) -> Sentence:
        templates = self._logged[kind]
        text, cost = templates[stream.next() % len(templates)]
        first, last = clock(start), clock(end)
        cost += len(first) + len(last)
        if label is None:
            return Sentence(_PLAIN, weight, cost, text % {"start": first, "end": last})
        lower, upper, words = self._mood(label) if kind == "moods" else self._noun(label)
        slots = {"start": first, "end": last, "time": first, "label": lower, "Label": upper}
        return Sentence(_PLAIN, weight, cost + words, text % slots)

    def empty(self, kind: str, stream: RandomChoices) -> Sentence:
        """Writes that there is nothing to describe: `"no_events"`, `"no_structure"` or `"no_data"`."""
        text, cost = stream.pick(self._lists[kind])
        return Sentence(_PLAIN, _WEIGHT_EMPTY, cost, text % {})

    # Semantic level

    def events(self, events: Sequence[Event], minutes: int, stream: RandomChoices, clock: Clock) -> list[Sentence]:
        """Writes each event with its times: activities, then sleep, then moods.

        Args:
            events: Events, by start.
            minutes: Length of the window; times outside it are clipped.
            stream: Random choices for the wording.
            clock: Formats the times.
        """
        activities, sleeps, moods = _select(events, minutes)
        sentences = []
        described = (("activities", activities[:MAX_ACTIVITIES], 0.0), ("sleeps", sleeps[:MAX_SLEEPS], 0.15))
        for kind, chosen, base in described:
            weights = {event: base + 0.1 * rank for rank, event in enumerate(chosen)}
            for event in sorted(chosen, key=lambda e: e[1:]):
                weight = _WEIGHT_LOGGED + weights[event]
                sentences.append(self._timed(kind, stream, clock, event[1], event[2], weight, event[3]))
        for rank, (minute, label) in enumerate(moods[:MAX_MOODS]):
            weight = _WEIGHT_LOGGED + 2 + 0.1 * rank
            sentences.append(self._timed("moods", stream, clock, minute, minute, weight, label))
        return sentences or [self.empty("no_events", stream)]

    def summary(self, events: Sequence[Event], minutes: int, stream: RandomChoices, shorter: int = 0) -> Sentence:
        """Writes one sentence with the names of the logged events, longest first, without repetition.

        A name that was logged several times is ranked by its longest entry, so that three meals do not displace a
        workout.

        Args:
            events: Events, by start.
            minutes: Length of the window.
            stream: Random choices for the wording.
            shorter: Number of names to omit, starting from the last; at least one is kept.
        """
        logged, moods = summary_labels(events, minutes)
        nouns, felt = self._phrases(logged, self._noun), self._phrases(moods, self._mood)
        if not nouns and not felt:
            return self.empty("no_events", stream)
        if shorter:
            felt, shorter = felt[: max(len(felt) - shorter, 0 if nouns else 1)], shorter - len(felt)
            nouns = nouns[: max(1, len(nouns) - max(shorter, 0))]
        kind = ("summaries_with_moods" if felt else "summaries") if nouns else "summaries_of_moods"
        text, words = stream.pick(self._lists[kind])
        items, moods_text = self.wording.join([n[0] for n in nouns]), self.wording.join([f[0] for f in felt])
        slots = {
            "items": items,
            "Items": items[:1].upper() + items[1:],
            "moods": moods_text,
            "Moods": moods_text[:1].upper() + moods_text[1:],
        }
        # Each name adds a comma or an "and".
        cost = words + sum([n[1] for n in nouns]) + sum([f[1] for f in felt]) + len(nouns) + len(felt)
        return Sentence(_PLAIN, _WEIGHT_LOGGED, cost, text % slots)

    @staticmethod
    def _phrases(labels: Sequence[str], describe: Callable[[str], tuple[str, str, int]]) -> list[tuple[str, int]]:
        phrases: dict[str, int] = {}
        for label in labels:
            phrase, _, cost = describe(label)
            phrases.setdefault(phrase, cost)
        return list(phrases.items())


def _select(
    events: Sequence[Event], minutes: int
) -> tuple[list[tuple[int, int, int, str]], list[tuple[int, int, int, str]], list[tuple[int, str]]]:
    """Lists activities and sleeps as `(-duration, start, end, label)`, longest first, moods as `(minute, label)`."""
    activities, sleeps, moods = [], [], []
    for event in events:
        start = event.start_minute if event.start_minute > 0 else 0
        if event.kind == "mood":
            moods.append((start, event.label))
            continue
        end = event.end_minute if event.end_minute < minutes else minutes
        if event.kind == "sleep":
            sleeps.append((start - end, start, end, event.label))
        elif end - start >= MIN_ACTIVITY_MINUTES:
            activities.append((start - end, start, end, event.label))
    activities.sort()
    sleeps.sort()
    return activities, sleeps, moods


def opening_of(text: str) -> Sentence:
    """Returns an opening as the sentence of a caption that is dropped last."""
    return Sentence(_PLAIN, _WEIGHT_OPENING, estimate_tokens(text), text)


def insights_by_row(table: FactTable) -> list[list[Insight]]:
    """Returns the trends, then the anomalies, of each row of a table, as [`SentenceWriter.structural`] takes them."""
    rows: list[list[Insight]] = [[] for _ in range(table.offsets[-1])]
    trends, anomalies = table.trends, table.anomalies
    if trends is None or anomalies is None:
        raise ValueError("`table` must contain structure: create it with fact_table(..., structure=True).")
    columns: tuple[np.ndarray, ...] = (trends.row, trends.kind, trends.start, trends.end, trends.strength)
    for row, kind, start, end, strength in zip(*(column.tolist() for column in columns), strict=True):
        rows[row].append((True, kind, start, end, strength))
    columns = (anomalies.row, anomalies.kind, anomalies.minute, anomalies.strength)
    for row, kind, minute, strength in zip(*(column.tolist() for column in columns), strict=True):
        rows[row].append((False, kind, minute, minute, strength))
    return rows


def summary_labels(events: Sequence[Event], minutes: int) -> tuple[list[str], list[str]]:
    """Returns the names in a day's summary: activities and sleeps, longest first, and moods by time, each once.

    Summaries of days with equal names have the same content, whatever their wording.

    Args:
        events: Events, by start.
        minutes: Length of the window.
    """
    activities, sleeps, moods = _select(events, minutes)
    chosen = [
        list(dict.fromkeys(labels))[:most]
        for labels, most in (
            ([event[3] for event in activities], MAX_ACTIVITIES),
            ([event[3] for event in sleeps], MAX_SLEEPS),
            ([label for _, label in moods], MAX_MOODS),
        )
    ]
    return chosen[0] + chosen[1], chosen[2]

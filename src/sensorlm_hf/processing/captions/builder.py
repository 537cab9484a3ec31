"""`CaptionBuilder`: writes captions of days."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Union

import numpy as np

from ...days import SensorDay
from ...schema import CAPTION_GROUPS, SchemaLike, SensorSchema, get_schema
from .budget import CAPTION_KEYS, MIN_TOKENS, TOKEN_BUDGETS, Sentence, estimate_tokens, fit, token_counter
from .facts import BLOCK_DAYS, blocks, fact_table, facts_as_dicts, is_observed
from .fingerprint import source_fingerprint
from .mapper import CaptionMapper
from .paraphrase import Paraphraser
from .sentences import (
    EXTRA_CHANNELS,
    Clock,
    DescribedChannel,
    Insight,
    RandomChoices,
    SentenceWriter,
    insights_by_row,
    opening_of,
    random_numbers,
)
from .structure import POOL_MINUTES
from .templates import TIME_FORMATS, Wording, get_wording

_LEVELS = {
    "low_level_caption": ("low",),
    "middle_level_caption": ("middle",),
    "high_level_summary_caption": ("summary",),
    "high_level_all_caption": ("all",),
    "middle_low_caption": ("middle", "low"),
    "high_low_caption": ("summary", "low"),
    "high_middle_caption": ("summary", "middle"),
    "high_middle_low_caption": ("summary", "middle", "low"),
}
_CLOCK = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(1440))

DayLike = Union[SensorDay, np.ndarray]


class CaptionBuilder:
    """Captions sensor days at three levels, from facts and templates.

    * low, statistical: mean, max, min and standard deviation per channel;
    * middle, structural: trends, peaks, drops and spans without data;
    * high, semantic: logged activities, sleep and moods, as a summary of names or as a list with times.

    A caption depends only on the day, the seed, the sample id and the key; it does not depend on other days, the batch,
    the process or the machine. Every number in it comes from [`CaptionBuilder.facts`] or the times of logged events.

    Examples:
        >>> build = CaptionBuilder("sensorlm-26", key="middle_level_caption", seed=0)
        >>> caption = build(day)
        >>> captions = build.batch(days, keys="high_level_all_caption")
        >>> facts = build.facts(day)["HR"]["trends"]
    """

    def __init__(
        self,
        schema: SchemaLike = "sensorlm-26",
        key: str = "high_level_summary_caption",
        seed: int = 0,
        *,
        language: str = "en",
        imputed: bool = False,
        time_format: str = "minutes",
        units: bool = False,
        opening: bool = False,
        tokenizer: Any = None,
        max_tokens: int | None = None,
        paraphraser: Any = None,
        templates: Wording | None = None,
        extra_channels: Mapping[str, int] | None = None,
    ) -> None:
        """Prepares the sentences.

        Args:
            schema: Schema of the days.
            key: Default caption key, one of [`CAPTION_KEYS`].
            seed: Seed of the wording and of the sampled channels.
            language: Language code, one of `list_languages()`.
            imputed: Whether to interpolate gaps before computing facts, as the SensorLM release does. By default only
                observed values count, and spans without any data are mentioned.
            time_format: `"minutes"` from the window's start, or local clock times (`"clock"`).
            units: Whether to include units.
            opening: Whether every caption starts with a sentence of plain English about the day,
                [`opening_sentence`]. It is the last to be dropped for the budget, loses details before it is dropped,
                and is not paraphrased. Days must be [`SensorDay`], and the language must offer an opening.
            tokenizer: Counts tokens for the budget: a transformers tokenizer or a function from text to a number. By
                default an upper bound is used.
            max_tokens: Maximum number of tokens per caption, including special tokens; by default that of the key,
                [`TOKEN_BUDGETS`]. Complete sentences are dropped, the least important first.
            paraphraser: A text-generation pipeline or a function from text to text that rewords captions. If a
                number or a time is lost, the template caption is kept and counted in `build.paraphraser.rejected`.
            templates: A wording to use instead of that of `language`.
            extra_channels: Number of additional channels to sample per caption group; default [`EXTRA_CHANNELS`].

        Raises:
            ValueError: If a name is unknown, `max_tokens` is too small, or the language has no opening.
            TypeError: If an argument has the wrong type.
        """
        self.schema: SensorSchema = get_schema(schema)
        self.key = _check_key(key)
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise TypeError(f"`seed` must be an integer, got {seed!r}.")
        self.seed = int(seed)
        if templates is not None and not isinstance(templates, Wording):
            raise TypeError(f"`templates` must be a Wording, got {type(templates).__name__}.")
        self.language = language
        self.wording = templates if templates is not None else get_wording(language)
        self.imputed = bool(imputed)
        if time_format not in TIME_FORMATS:
            raise ValueError(f"`time_format` must be one of {', '.join(TIME_FORMATS)}, got {time_format!r}.")
        self.time_format = time_format
        self.units = bool(units)
        if not isinstance(opening, (bool, np.bool_)):
            raise TypeError(f"`opening` must be True or False, got {opening!r}.")
        if opening and self.wording.opening is None:
            raise ValueError(
                f"Captions in {self.wording.name} have no opening sentence; use language='en', opening=False, or a"
                " Wording with an `opening`."
            )
        self.opening = bool(opening)
        self.tokenizer = tokenizer
        self._count = token_counter(tokenizer)
        if max_tokens is not None:
            if isinstance(max_tokens, bool) or not isinstance(max_tokens, (int, np.integer)):
                raise TypeError(f"`max_tokens` must be an integer or None, got {max_tokens!r}.")
            if max_tokens < MIN_TOKENS:
                raise ValueError(
                    f"`max_tokens` must be at least {MIN_TOKENS}, the length of a sentence; got {max_tokens}."
                )
            max_tokens = int(max_tokens)
        self.max_tokens = max_tokens
        if paraphraser is not None and not isinstance(paraphraser, Paraphraser):
            paraphraser = Paraphraser(paraphraser)
        self.paraphraser: Paraphraser | None = paraphraser
        self.extra_channels = _check_extra(EXTRA_CHANNELS if extra_channels is None else extra_channels)
        self._writer = SentenceWriter(
            self.schema, self.wording, time_format=time_format, units=self.units, extra_channels=self.extra_channels
        )
        self._templates = templates

    def __repr__(self) -> str:
        return f"CaptionBuilder({self.schema.name!r}, key={self.key!r}, seed={self.seed}, language={self.language!r})"

    def settings(self) -> dict[str, Any]:
        """Returns the settings that determine the captions, except the key and the models, as plain types.

        `wording` and `code` are hashes of the language's wording and of this package's caption code; captions may
        differ if these change.
        """
        return {
            "schema": self.schema.to_dict(),
            "seed": self.seed,
            "language": self.language,
            "imputed": self.imputed,
            "time_format": self.time_format,
            "units": self.units,
            "opening": self.opening,
            "max_tokens": self.max_tokens,
            "extra_channels": self.extra_channels,
            "wording": self.wording.signature(),
            "code": source_fingerprint(),
        }

    def __reduce__(self) -> tuple[Callable[..., CaptionBuilder], tuple[dict[str, Any], dict[str, str]]]:
        # Only what determines the captions is pickled, so that the pickle, and with it the `datasets` cache
        # fingerprint of a map, is the same in every process and changes with the wording and this code.
        settings = self.settings()
        hashes = {name: settings.pop(name) for name in ("wording", "code")}
        models = {"tokenizer": self.tokenizer, "paraphraser": self.paraphraser, "templates": self._templates}
        return _restore, ({**settings, **models, "key": self.key}, hashes)

    # Captions

    def __call__(self, day: DayLike, sample_id: str | None = None, key: str | None = None) -> str:
        """Captions one day.

        Args:
            day: A [`SensorDay`], or an array `(minutes, channels)` in physical units with NaN for missing.
            sample_id: Seeds the random choices; defaults to `day.sample_id`, required for an array.
            key: Caption key, if not the builder's own.

        Returns:
            The caption.
        """
        return self.batch([day], None if sample_id is None else [sample_id], key)[0]

    build = __call__

    def batch(
        self,
        days: Iterable[DayLike],
        sample_ids: Sequence[str] | None = None,
        keys: str | Sequence[str] | None = None,
    ) -> list[str]:
        """Captions many days at once, with the same results as [`CaptionBuilder.__call__`].

        Args:
            days: Days, as in [`CaptionBuilder.__call__`].
            sample_ids: One name per day; by default each day's own.
            keys: One key for all or one per day; by default the builder's.

        Returns:
            One caption per day.
        """
        days = list(days)
        if keys is None or isinstance(keys, str):
            per_day = [_check_key(keys or self.key)] * len(days)
        else:
            per_day = [_check_key(key) for key in keys]
            if len(per_day) != len(days):
                raise ValueError(f"`keys` has {len(per_day)} items for {len(days)} days; give one key, or one per day.")
        return [captions[0] for captions in self._captions(days, sample_ids, [(key,) for key in per_day])]

    def columns(
        self, days: Iterable[DayLike], keys: Sequence[str] = CAPTION_KEYS, sample_ids: Sequence[str] | None = None
    ) -> dict[str, list[str]]:
        """Writes several captions of each day, computing its facts once.

        Args:
            days: Days, as in [`CaptionBuilder.__call__`].
            keys: Caption keys.
            sample_ids: One name per day; by default each day's own.

        Returns:
            `{key: captions}`.
        """
        days = list(days)
        wanted = check_keys(keys)
        rows = self._captions(days, sample_ids, [wanted] * len(days))
        return {key: [row[i] for row in rows] for i, key in enumerate(wanted)}

    def mapper(self, keys: Sequence[str] | None = None) -> CaptionMapper:
        """Returns a function for `datasets.Dataset.map(..., batched=True)`.

        Args:
            keys: Caption keys; by default the builder's own.

        Returns:
            A function from a batch of rows of [`SensorDay.to_row`] to caption columns, with a stable fingerprint.
        """
        return CaptionMapper(self, (self.key,) if keys is None else check_keys(keys))

    # Facts

    def facts(self, values: DayLike) -> dict[str, dict[str, Any]]:
        """Computes the facts of one day.

        Args:
            values: `(minutes, channels)` in physical units, NaN for missing, or a day. Not modified.

        Returns:
            `{channel key: {"mean", "max", "min", "std", "trends", "anomalies", "missing", "observed"}}` for every
            channel. `trends` holds `[start, end, type]`, by start; `anomalies` holds `[minute, type]`, peaks before
            drops; `missing` holds `[start, end]`, end exclusive; all in minutes from the window's start. `observed` is
            the fraction of observed minutes. Statistics are None if there are no observed values.
        """
        return self.facts_batch([values])[0]

    def facts_batch(self, values: Sequence[DayLike] | np.ndarray) -> list[dict[str, dict[str, Any]]]:
        """Computes the facts of many days, `(days, minutes, channels)` or a list; see [`CaptionBuilder.facts`]."""
        arrays = [self._values(day, f"values[{i}]") for i, day in enumerate(values)]
        found: list[dict[str, dict[str, Any]]] = [{}] * len(arrays)
        for group in _by_length(arrays):
            for block in blocks(len(group)):
                places = group[block]
                members = [arrays[i] for i in places]
                table = fact_table(members, self.schema, imputed=self.imputed)
                for i, facts in zip(places, facts_as_dicts(table, members, self.schema), strict=True):
                    found[i] = facts
        return found

    # Internals

    def _values(self, day: DayLike, where: str) -> np.ndarray:
        if isinstance(day, SensorDay):
            if day.schema is not self.schema and day.schema.keys != self.schema.keys:
                raise ValueError(
                    f"{where} has schema {day.schema.name!r}, but the builder captions {self.schema.name!r}; make a"
                    f" CaptionBuilder({day.schema.name!r})."
                )
            return day.values
        try:
            array = np.asarray(day)
            if array.dtype.kind != "f":
                array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{where} must be a SensorDay or an array of numbers (minutes, channels): {error}"
            ) from None
        if array.ndim != 2 or len(array) == 0 or array.shape[1] != len(self.schema):
            raise ValueError(
                f"{where} must have shape (minutes, {len(self.schema)}) for schema {self.schema.name!r}, got"
                f" {array.shape}."
            )
        if np.isinf(array).any():
            minute, column = np.argwhere(np.isinf(array))[0]
            raise ValueError(
                f"{where} is infinite at minute {minute}, channel {self.schema.keys[column]!r}; use NaN for missing."
            )
        return array

    def _captions(
        self, days: list[DayLike], sample_ids: Sequence[str] | None, keys: list[tuple[str, ...]]
    ) -> list[list[str]]:
        arrays = [self._values(day, f"days[{i}]") for i, day in enumerate(days)]
        if sample_ids is not None:
            if isinstance(sample_ids, str) or len(sample_ids) != len(days):
                raise ValueError(f"`sample_ids` must be a list of {len(days)} names, one per day, got {sample_ids!r}.")
            names = [str(name) for name in sample_ids]
        else:
            names = [self._name(day, i) for i, day in enumerate(days)]
        levels = [_levels(wanted) for wanted in keys]
        captions: list[list[str]] = [[]] * len(days)
        openings = [self._openings(day, i, names[i], keys[i]) for i, day in enumerate(days)]
        measured = []
        for i, (day, name, wanted) in enumerate(zip(days, names, keys, strict=True)):
            if "low" in levels[i] or "middle" in levels[i]:
                measured.append(i)
            else:
                captions[i] = self._write(day, i, name, wanted, None, openings[i])
        for group in _by_length(arrays, measured):
            for block in blocks(len(group), BLOCK_DAYS):
                places = group[block]
                members = [arrays[i] for i in places]
                wanted_levels = frozenset[str]().union(*(levels[i] for i in places))
                facts = self._facts_of(members, [names[i] for i in places], wanted_levels)
                for i, found in zip(places, facts, strict=True):
                    captions[i] = self._write(days[i], i, names[i], keys[i], found, openings[i])
        if self.paraphraser is not None:
            self._reword(captions, keys, openings)
        return captions

    def _name(self, day: DayLike, position: int) -> str:
        if not isinstance(day, SensorDay):
            raise ValueError(
                f"days[{position}] is an array and has no sample id to seed the random choices; pass its `sample_id`."
            )
        return day.sample_id

    def _facts_of(self, arrays: list[np.ndarray], names: list[str], levels: frozenset[str]) -> Iterator[_Facts]:
        """Selects the channels of each day and computes their facts."""
        described = [
            self._writer.choose(is_observed(array), random_numbers(self.seed, name, "channels"))
            for array, name in zip(arrays, names, strict=True)
        ]
        table = fact_table(
            arrays,
            self.schema,
            [[channel for channel, _, _ in channels] for channels in described],
            imputed=self.imputed,
            statistics="low" in levels,
            structure="middle" in levels,
        )
        numbers: list[list[float]] = []
        if table.statistics is not None:
            # Values that round to zero are written without a sign.
            size = np.abs(table.statistics)
            numbers = np.where(size < 0.05, size, table.statistics).tolist()
        insights = [] if table.trends is None else insights_by_row(table)
        for i, channels in enumerate(described):
            rows = slice(table.offsets[i], table.offsets[i + 1])
            yield _Facts(channels, numbers[rows], insights[rows], table.gaps[i] if table.gaps else [])

    def _openings(self, day: DayLike, position: int, name: str, keys: tuple[str, ...]) -> list[Sentence | None]:
        """Writes the opening of each caption, with as many details as fit its budget."""
        if not self.opening:
            return [None] * len(keys)
        if not isinstance(day, SensorDay):
            raise ValueError(
                f"days[{position}] is an array without a start and a log, so it has no opening; pass a SensorDay, or"
                " use opening=False."
            )
        assert self.wording.opening is not None
        found: list[Sentence | None] = []
        written: list[Sentence] = []
        for key in keys:
            budget, shorter = self.budget(key), 0
            while True:
                if shorter == len(written):
                    text = self.wording.opening(day, seed=self.seed, sample_id=name, shorter=shorter)
                    written.append(opening_of(text))
                if self._fits(written[shorter], budget):
                    break
                if shorter and written[shorter].text == written[shorter - 1].text:
                    break
                shorter += 1
            found.append(written[shorter])
        return found

    def _write(
        self,
        day: DayLike,
        position: int,
        name: str,
        keys: tuple[str, ...],
        facts: _Facts | None,
        openings: Sequence[Sentence | None],
    ) -> list[str]:
        maker = self._writer
        events = day.events if isinstance(day, SensorDay) else ()
        minutes = len(day)
        clock = str if self.time_format == "minutes" else _wall_clock(day, position)
        captions = []
        for key, opening in zip(keys, openings, strict=True):
            stream = RandomChoices(random_numbers(self.seed, name, key))
            budget = self.budget(key)
            sentences: list[Sentence] = []
            room = budget
            if opening is not None:
                sentences.append(opening)
                room -= self._cost(opening)
            levels = _LEVELS[key]
            for level in levels:
                if level == "summary":
                    sentences.append(self._summary(events, minutes, stream, room))
                elif level == "all":
                    sentences += maker.events(events, minutes, stream, clock)
                elif facts is None or not facts.described:
                    if level == levels[-1]:  # only once for both levels
                        sentences.append(maker.empty("no_data", stream))
                elif level == "low":
                    sentences += maker.statistical(facts.statistics, facts.described, stream)
                else:
                    # Missing spans come before the groups; after them, they would seem to belong to the last group.
                    found = [] if self.imputed else maker.gaps(facts.gaps, stream, clock)
                    found += maker.structural(facts.insights, facts.described, stream, clock)
                    sentences += found or [maker.empty("no_structure", stream)]
            captions.append(fit(sentences, budget, self._count))
        return captions

    def _summary(self, events: Sequence[Any], minutes: int, stream: RandomChoices, budget: int) -> Sentence:
        state = stream.position
        sentence = self._writer.summary(events, minutes, stream)
        shorter = 0
        while not self._fits(sentence, budget):
            shorter += 1
            stream.position = state
            less = self._writer.summary(events, minutes, stream, shorter)
            if less.text == sentence.text:
                break
            sentence = less
        return sentence

    def _fits(self, sentence: Sentence, budget: int) -> bool:
        return sentence.cost + 2 <= budget if self._count is None else self._count(sentence.text) <= budget

    def _cost(self, sentence: Sentence) -> int:
        """Returns the tokens of a sentence, without special tokens."""
        return sentence.cost if self._count is None else self._count(sentence.text) - self._count("")

    def budget(self, key: str) -> int:
        """Returns the maximum number of tokens of a caption."""
        return self.max_tokens if self.max_tokens is not None else TOKEN_BUDGETS[_check_key(key)]

    def _reword(
        self, captions: list[list[str]], keys: list[tuple[str, ...]], openings: list[list[Sentence | None]]
    ) -> None:
        assert self.paraphraser is not None
        # An opening stays as it is: its numbers are words, which the paraphraser does not compare.
        starts = ["" if own is None else own.text for row in openings for own in row]
        flat = [caption for row in captions for caption in row]
        starts = [start if caption.startswith(start) else "" for start, caption in zip(starts, flat, strict=True)]
        flat = [caption[len(start) :].lstrip() for start, caption in zip(starts, flat, strict=True)]
        budgets = [self.budget(key) for row in keys for key in row]
        count = self._count or (lambda text: estimate_tokens(text) + 2)
        fits = lambda text, i: count(f"{starts[i]} {text}".strip()) <= budgets[i]  # noqa: E731
        reworded = iter(self.paraphraser(flat, fits))
        opened = iter(starts)
        for row in captions:
            row[:] = [f"{next(opened)} {next(reworded)}".strip() for _ in row]


class _Facts(NamedTuple):
    """The content of one day's caption: its channels, with one row per channel."""

    described: list[DescribedChannel]
    statistics: list[list[float]]
    insights: list[list[Insight]]
    gaps: list[tuple[int, int]]


@lru_cache(maxsize=256)
def _levels(keys: tuple[str, ...]) -> frozenset[str]:
    return frozenset(level for key in keys for level in _LEVELS[key])


def _restore(arguments: dict[str, Any], hashes: dict[str, str]) -> CaptionBuilder:
    return CaptionBuilder(**arguments)


def _check_key(key: Any) -> str:
    if key not in CAPTION_KEYS:
        raise ValueError(f"`key` must be one of {', '.join(CAPTION_KEYS)}, got {key!r}.")
    return key


def check_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """Returns caption keys as a tuple without duplicates.

    Raises:
        ValueError: If a key is unknown, or there is none.
        TypeError: If `keys` is a single string.
    """
    if isinstance(keys, str):
        raise TypeError(f"`keys` must be a list of keys, got the string {keys!r}; write [{keys!r}].")
    checked = tuple(dict.fromkeys(_check_key(key) for key in keys))
    if not checked:
        raise ValueError(f"`keys` must name at least one caption: {', '.join(CAPTION_KEYS)}.")
    return checked


def _check_extra(extra: Mapping[str, int]) -> dict[str, int]:
    if not isinstance(extra, Mapping):
        raise TypeError(f"`extra_channels` must map caption groups to numbers, got {type(extra).__name__}.")
    for group, count in extra.items():
        if group not in CAPTION_GROUPS or isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(
                f"`extra_channels` must map {', '.join(CAPTION_GROUPS)} to integers of at least 0, got {group!r}:"
                f" {count!r}."
            )
    return dict(extra)


def _by_length(arrays: list[np.ndarray], places: Sequence[int] | None = None) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for i in range(len(arrays)) if places is None else places:
        groups.setdefault(-(-len(arrays[i]) // POOL_MINUTES), []).append(i)
    return list(groups.values())


def _wall_clock(day: DayLike, position: int) -> Clock:
    if not isinstance(day, SensorDay):
        raise ValueError(
            f"days[{position}] is an array without a start, so it has no clock times; pass a SensorDay, or use"
            ' time_format="minutes".'
        )
    if day.end.utcoffset() != day.start.utcoffset():
        return lambda minute: f"{day.clock(minute):%H:%M}"
    first = day.start.hour * 60 + day.start.minute
    return lambda minute: _CLOCK[(first + minute) % 1440]

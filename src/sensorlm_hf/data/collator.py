"""Collates days into training batches: captions sampled per epoch, random modality dropout, padded tensors."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..activities import ACTIVITIES, canonical_activity
from ..days import SensorDay
from ..processing.captions import CAPTION_KEYS, CaptionBuilder
from ..processing.captions.day_facts import DayFacts, day_facts
from ..processing.captions.sentences import summary_labels
from ..processing.captions.statements import StatementBank, truth
from ..processing.captions.unrelated import unrelated_text
from ..schema import SensorSchema
from .device_profiles import PROFILES, apply_profile
from .rewording import reword_events

MIN_CROP_MINUTES = 10
"""Minimum duration of a cropped event in minutes: one patch of the default model."""


UNRELATED_SHARE = 0.08
"""Share of texts among the statements that describe no day; see [`unrelated_text`]."""


EXERCISES = frozenset(activity.name for activity in ACTIVITIES if activity.benchmark)
"""Names of the activities that count as exercise."""


class SensorDayDataset(torch.utils.data.Dataset):
    """Rows of days as [`SensorDay`]s, indexed by `epoch * len(rows) + row`.

    The index encodes the epoch, so workers sample different captions in each epoch and a resumed run samples the same
    ones without any state to restore.

    Args:
        rows: A dataset of days (see [`load_sensor_days`]) or a list of [`SensorDay`]s.
        schema: Overrides the schema of the rows.

    Raises:
        TypeError: If the rows are a stream, which has no length.
        ValueError: If there are no rows.
    """

    def __init__(self, rows: Any, schema: SensorSchema | None = None) -> None:
        if not hasattr(rows, "__len__"):
            raise TypeError(
                f"`rows` must have a length, which {type(rows).__name__} lacks: load the dataset without"
                " `streaming=True`, or read its shards with `sensorlm_hf.data.SensorDayStream`."
            )
        if len(rows) == 0:
            raise ValueError("The dataset has no rows; there is nothing to train on or evaluate.")
        self.rows = rows
        self.schema = schema

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        # Every index is valid, so Python's default iteration over `__getitem__` would never end.
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: int) -> dict[str, Any]:
        epoch, row = divmod(int(index), len(self.rows))
        item = self.rows[row]
        day = item if isinstance(item, SensorDay) else SensorDay.from_row(item, schema=self.schema)
        return {"day": day, "epoch": epoch}

    def people(self) -> list[str]:
        """Returns the subject id of every row."""
        if hasattr(self.rows, "select_columns"):
            return [str(name) for name in self.rows.select_columns(["subject_id"])["subject_id"]]
        return [row.subject_id if isinstance(row, SensorDay) else str(row["subject_id"]) for row in self.rows]


def check_sampling_options(options: Any) -> None:
    """Validates sampling options before any work is done.

    Args:
        options: A [`SensorLMCollator`] or any object with its `caption_keys`, `contrast_only` and probabilities.

    Raises:
        ValueError: If a caption key is unknown, or a weight or probability is invalid.
    """
    unknown = [key for key in options.caption_keys if key not in CAPTION_KEYS]
    if unknown:
        raise ValueError(f"Unknown caption keys {', '.join(unknown)}; there are {', '.join(CAPTION_KEYS)}.")
    weights = list(options.caption_keys.values())
    if not (0 < sum(weights) < math.inf and min(weights) >= 0):
        raise ValueError(
            f"`caption_keys` needs non-negative weights with a positive sum, got {options.caption_keys!r}."
        )
    for name in ("modality_dropout", "device_dropout", "event_crop", "label_rewording", "channel_omission"):
        if not 0 <= getattr(options, name) < 1:
            raise ValueError(f"`{name}` must be a probability in [0, 1), got {getattr(options, name)}.")
    if isinstance(options.statements, bool) or not isinstance(options.statements, int) or options.statements < 0:
        raise ValueError(f"`statements` must be an integer of at least 0, got {options.statements!r}.")
    listed = options.contrast_only
    if isinstance(listed, str) or any(key not in options.caption_keys for key in listed):
        raise ValueError(
            f"`contrast_only` must list keys of `caption_keys` ({', '.join(options.caption_keys)}), got {listed!r}."
        )


@dataclass
class SensorLMCollator:
    """Collates days into a batch for [`SensorLMModel`].

    All randomness is derived from `(seed, sample id, epoch)`, so a batch is the same for any number of workers.

    Attributes:
        processor: A [`SensorLMProcessor`]: feature extractor and tokenizer.
        caption_keys: Caption keys with their weights; one is sampled for each day.
        max_length: Maximum caption length in tokens; captions drop complete sentences to fit.
        modality_dropout: Probability of dropping each modality (PPG, ACC, EDA, ...) of a day, so that the model can
            handle devices that lack it. At least one modality with data is always kept.
        device_dropout: Probability of reducing a day to the channels of another device: one of [`PROFILES`], drawn at
            random, such as heart rate and steps only. The caption still describes all channels.
        statements: Number of statements per batch whose truth is known for every day; see [`StatementBank`]. They are
            an addition to the captions of the paper, and off (0) by default.
        event_crop: Probability of cropping a day to one of its activities or sleep periods: everything outside the
            event is masked, and the caption describes the event.
        label_rewording: Probability of rewording an event's name (see [`reword_events`]), so that the model learns
            synonyms and attributes and not only class names.
        channel_omission: Probability of omitting a channel from a caption. Captions list channels in a fixed order, and
            a model that distinguishes days by the first ones may never learn the others; random omission forces it
            to use all of them. The signals are not changed.
        draw_per_batch: Whether the caption key and event crops are sampled once per batch instead of per day. All
            captions of a batch then have a similar length and kind, so that none is padded to the length of a longer
            kind, and negatives differ in content rather than in length. The samples depend on the first day of the
            batch. Because the caption loss is averaged over the tokens of a batch, tokens of a short kind get more
            weight than those of a long kind, and a model trained this way tends to end its captions early;
            `contrast_only` avoids this.
        contrast_only: Caption keys used only in the contrastive loss: all their `labels` are -100. The model then
            generates captions of the other keys, in the wording of the log: if this is set, `label_rewording` applies
            to these keys only.
        opening: Whether captions start with a sentence of plain English; see [`opening_sentence`].
        seed: Seed of all samples.
        training: If false, nothing is dropped, cropped or reworded, and each day's caption is that of epoch 0.
    """

    processor: Any
    caption_keys: Mapping[str, float] = field(default_factory=lambda: {"high_level_summary_caption": 1.0})
    max_length: int = 256
    modality_dropout: float = 0.0
    device_dropout: float = 0.0
    event_crop: float = 0.0
    label_rewording: float = 0.0
    channel_omission: float = 0.0
    draw_per_batch: bool = False
    contrast_only: Sequence[str] = ()
    statements: int = 0
    opening: bool = False
    seed: int = 0
    training: bool = True

    def __post_init__(self) -> None:
        check_sampling_options(self)
        if not isinstance(self.opening, bool):
            raise TypeError(f"`opening` must be True or False, got {self.opening!r}.")
        if self.max_length < 8:
            raise ValueError(f"`max_length` must be at least 8 tokens, got {self.max_length}.")
        self._keys = list(self.caption_keys)
        weights = np.array([self.caption_keys[key] for key in self._keys], dtype=float)
        self._cumulative = np.cumsum(weights / weights.sum())
        self._builders: dict[SensorSchema, CaptionBuilder] = {}
        self._bank = StatementBank(split="train" if self.training else "validation") if self.statements else None

    def __call__(self, items: Sequence[Mapping[str, Any] | SensorDay | None]) -> dict[str, torch.Tensor]:
        """Collates days.

        Args:
            items: Items of a [`SensorDayDataset`], or plain days (epoch 0). If all are `None`, as in batches skipped by
                [`SensorDayStream.skip_batches`], the batch is empty.

        Returns:
            `sensor_values` `(B, minutes, C)` float32, `sensor_mask` of the same shape (bool, True = observed),
            `input_ids` and `attention_mask` `(B, L)`, and `text_group_ids` `(B,)`: equal for captions with the same
            content, across batches and processes, which the contrastive losses treat as positives of each other.
            With `contrast_only` also `labels` `(B, L)`, the target tokens, -100 where there is none. With `statements`
            also `statement_ids` and `statement_mask` `(S, L')`, and `statement_truth` `(B, S)`: 1 true, 0 false, -1
            undecided.
        """
        if all(item is None for item in items):
            return {}
        days, texts, groups, written = [], [], [], []
        contents: dict[str, int] = {}
        facts: list[DayFacts] = []
        shared_rng: np.random.Generator | None = None
        together: tuple[str, bool] | None = None
        for item in items:
            if item is None:
                raise ValueError("A batch mixes skipped and other days; skip complete batches.")
            day, epoch = (item, 0) if isinstance(item, SensorDay) else _day_and_epoch(item)
            rng = _generator(self.seed, day.sample_id, epoch if self.training else 0)
            shared_rng = shared_rng or _generator(self.seed + 1, day.sample_id, epoch if self.training else 0)
            key, crop = self._draw(rng)
            if self.training and self.draw_per_batch:
                key, crop = together = together or (key, crop)
            complete = day
            if crop:
                day = _crop_to_event(day, rng)
            if self._bank is not None:
                facts.append(day_facts(day, log_complete=log_is_complete(complete), cropped=day is not complete))
            caption_id = f"{day.sample_id}#{epoch}" if self.training else day.sample_id
            described = day
            if self.training and self.label_rewording and (key in self.contrast_only or not self.contrast_only):
                described = reword_events(day, self.label_rewording, rng)
            if self.training and self.channel_omission:
                described = _omit_channels(described, self.channel_omission, rng)
            text = self._builder(day.schema)(described, sample_id=caption_id, key=key)
            # Positives are determined by what happened, not by its wording.
            content = _content(day, key, text)
            if self.training and self.modality_dropout:
                day = _drop_modalities(day, self.modality_dropout, rng)
            if self.training and self.device_dropout:
                day = _drop_to_device(day, self.device_dropout, rng)
            days.append(day)
            texts.append(text)
            written.append(not self.training or key not in self.contrast_only)
            # Captions truncated to the same words have the same content, whatever was dropped.
            groups.append(contents.setdefault(text, _group_id(content)))
        batch = self.processor(
            sensor=days,
            text=texts,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self.max_length,
            captions=True,
        )
        if self._bank is not None and shared_rng is not None:
            batch.update(self._statements(facts, days, shared_rng))
        batch["text_group_ids"] = torch.tensor(groups)
        if self.contrast_only:
            target = batch["attention_mask"].bool() & torch.tensor(written)[:, None]
            batch["labels"] = batch["input_ids"].masked_fill(~target, -100)
        return dict(batch)

    def _statements(
        self, facts: list[DayFacts], days: Sequence[SensorDay], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Samples statements and decides for every day whether they are true."""
        bank: Any = self._bank
        others = int(self.statements * UNRELATED_SHARE)
        statements = bank.sample(facts, self.statements - others, rng)
        visible = np.stack([day.mask.any(axis=0) for day in days])
        true = truth(statements, facts, visible, days[0].schema)
        texts = self.processor(
            text=[statement.text for statement in statements] + [unrelated_text(rng) for _ in range(others)],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self.max_length,
        )
        # Sorted by length, so that the model need not pad all of them to the longest.
        order = texts["attention_mask"].sum(dim=1).argsort(stable=True)
        return {
            "statement_ids": texts["input_ids"][order],
            "statement_mask": texts["attention_mask"][order],
            "statement_truth": torch.from_numpy(np.pad(true, ((0, 0), (0, others))))[:, order],
        }

    def _draw(self, rng: np.random.Generator) -> tuple[str, bool]:
        """Samples a caption key, and whether the day is cropped to an event."""
        key = self._keys[min(int(np.searchsorted(self._cumulative, rng.random())), len(self._keys) - 1)]
        return key, self.training and bool(rng.random() < self.event_crop)

    def _builder(self, schema: SensorSchema) -> CaptionBuilder:
        if schema not in self._builders:
            self._builders[schema] = CaptionBuilder(
                schema,
                key=self._keys[0],
                seed=self.seed,
                tokenizer=self.processor.caption_tokenizer,
                max_tokens=self.max_length - 2,  # the tokenizer adds <bos> and <eos>
                opening=self.opening,
            )
        return self._builders[schema]


def _day_and_epoch(item: Mapping[str, Any]) -> tuple[SensorDay, int]:
    if "day" not in item:
        raise ValueError(
            f"An item of the batch has the keys {sorted(item)}, but no 'day'. `Trainer` removes what is no argument of"
            " the model: set `remove_unused_columns=False` in its arguments. Rows of a table go into a"
            " SensorDayDataset first."
        )
    return item["day"], int(item.get("epoch", 0))


def _generator(seed: int, sample_id: str, epoch: int) -> np.random.Generator:
    digest = hashlib.blake2b(f"{seed}|{sample_id}|{epoch}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def _content(day: SensorDay, key: str, text: str) -> Any:
    """Returns a caption's content, independent of its wording: days with the same log have the same summary."""
    if any(character.isdigit() for character in text):
        return text
    # A caption without numbers contains only names, if its key describes the log, and for the signals at most the
    # statement that there are none, or none with a trend or anomaly.
    logged, moods = summary_labels(day.events, len(day)) if key.startswith("high") else ([], [])
    described = None if key.startswith("high_level") else bool(day.mask.any())
    return sorted(set(logged)), sorted(set(moods)), described


def _group_id(content: Any) -> int:
    """Returns 63 bits of the content's digest, which, unlike a counter, are comparable across batches and processes."""
    digest = hashlib.blake2b(repr(content).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _crop_to_event(day: SensorDay, rng: np.random.Generator) -> SensorDay:
    spans = []
    for event in day.events:
        start, end = max(event.start_minute, 0), min(event.end_minute, len(day))
        if event.kind != "mood" and end - start >= MIN_CROP_MINUTES and day.mask[start:end].any():
            spans.append((start, end, event))
    if not spans:
        return day
    start, end, event = spans[int(rng.integers(len(spans)))]
    return day.crop(start, end).with_events([event])


def _omit_channels(day: SensorDay, probability: float, rng: np.random.Generator) -> SensorDay:
    """Returns the day without some channels; at least one observed channel is always kept."""
    omitted = rng.random(len(day.schema)) < probability
    observed = np.flatnonzero(day.mask.any(axis=0))
    if len(observed) and omitted[observed].all():
        omitted[observed[int(rng.integers(len(observed)))]] = False
    return day.without(omitted)


def log_is_complete(day: SensorDay) -> bool:
    """Whether all exercise of a day is logged; simulated days have a label that says how much there was."""
    exercises = day.labels.get("exercises")
    logged = [canonical_activity(event.label) for event in day.events if event.kind == "activity"]
    return exercises is None or sum(name in EXERCISES for name in logged) >= int(exercises)


def _drop_to_device(day: SensorDay, probability: float, rng: np.random.Generator) -> SensorDay:
    """Keeps the channels of another device, unless none of them is observed."""
    drawn, index = rng.random(), int(rng.integers(len(PROFILES)))
    if drawn >= probability:
        return day
    reduced = apply_profile(day, list(PROFILES.values())[index])
    return reduced if reduced.mask.any() else day


def _drop_modalities(day: SensorDay, probability: float, rng: np.random.Generator) -> SensorDay:
    names = np.array([channel.modality for channel in day.schema])
    modalities = list(dict.fromkeys(names))
    dropped = {name for name in modalities if rng.random() < probability}
    lost = np.isin(names, list(dropped))
    if not lost.any() or not day.mask[:, ~lost].any():
        return day
    return day.without(lost)

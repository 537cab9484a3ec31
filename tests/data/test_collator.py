"""Training batches: sampling, dropout, and groups of equivalent captions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
import torch

from sensorlm_hf import Event, SensorDay, get_schema
from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.data.collator import _generator, log_is_complete
from sensorlm_hf.data.device_profiles import PROFILES
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CAPTION_KEYS, CaptionBuilder
from sensorlm_hf.processing.captions.day_facts import day_facts
from sensorlm_hf.processing.captions.statements import StatementBank, truth

SUMMARY, LOW = "high_level_summary_caption", "low_level_caption"
MODALITIES = {channel.modality for channel in get_schema("sensorlm-26")}
Batch = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def simulated() -> list[SensorDay]:
    return simulate_days(24, seed=3, days_per_person=2)


@pytest.fixture(scope="module")
def processor(simulated: list[SensorDay]) -> SensorLMProcessor:
    texts = [text for key in CAPTION_KEYS for text in CaptionBuilder(key=key).batch(simulated)]
    return SensorLMProcessor(SensorLMFeatureExtractor(), train_tokenizer(texts, vocab_size=900, max_length=256))


@pytest.fixture(scope="module")
def captions(processor: SensorLMProcessor) -> Callable[[Batch], list[str]]:
    return lambda batch: processor.batch_decode(batch["input_ids"], skip_special_tokens=True)


def a_day(number: int = 0, *events: Event, observed: bool = True) -> SensorDay:
    """A day of slow waves whose log contains only these events."""
    means = np.array([channel.mean for channel in get_schema("sensorlm-26")], np.float32)
    values = np.tile(means, (1440, 1)) if observed else np.full((1440, 26), np.nan)
    return SensorDay(values, datetime(2024, 3, 1, tzinfo=timezone.utc) + timedelta(days=number), "p", events=events)


def same(one: Batch, other: Batch) -> bool:
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


def lost(day: SensorDay, mask: torch.Tensor) -> set[str]:
    """Modalities observed in the day but missing from a row of the batch."""
    gone = day.mask.any(axis=0) & ~mask.any(dim=0).numpy()
    kept = day.mask.any(axis=0) & mask.any(dim=0).numpy()
    names = {channel.modality for channel, is_gone in zip(day.schema, gone, strict=True) if is_gone}
    assert not names & {c.modality for c, is_kept in zip(day.schema, kept, strict=True) if is_kept}, (
        "modality partially dropped"
    )
    return names


# The dataset


def test_index_encodes_epoch(simulated: list[SensorDay]) -> None:
    dataset = SensorDayDataset(simulated)
    assert len(dataset) == 24
    item = dataset[5 + 3 * 24]
    assert item["day"] is simulated[5]
    assert item["epoch"] == 3


def test_iteration_yields_each_row_once(simulated: list[SensorDay]) -> None:
    items = list(itertools.islice(SensorDayDataset(simulated[:3]), 10))
    assert [(item["day"].sample_id, item["epoch"]) for item in items] == [(d.sample_id, 0) for d in simulated[:3]]


def test_rows_are_converted_to_days(simulated: list[SensorDay]) -> None:
    rows = [day.to_row() for day in simulated[:3]]
    dataset = SensorDayDataset(rows)
    assert [item["day"] for item in dataset] == simulated[:3]
    assert dataset.people() == SensorDayDataset(simulated[:3]).people() == [day.subject_id for day in simulated[:3]]


def test_rows_with_custom_schema(simulated: list[SensorDay]) -> None:
    schema = get_schema({"name": "two", "channels": [get_schema("sensorlm-26")[k].to_dict() for k in ("HR", "steps")]})
    day = SensorDay(np.zeros((60, 2)), datetime(2024, 3, 1, tzinfo=timezone.utc), "p", schema)
    assert SensorDayDataset([day.to_row()])[0]["day"] == day
    assert SensorDayDataset([{**day.to_row(), "schema": "two"}], schema=schema)[0]["day"] == day


def test_empty_dataset_raises() -> None:
    with pytest.raises(ValueError, match="no rows"):
        SensorDayDataset([])


# Batch contents


def test_shapes_types_and_budget(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    collator = SensorLMCollator(processor, {LOW: 1.0}, max_length=60)
    batch = collator(SensorDayDataset(simulated))
    assert set(batch) == {"sensor_values", "sensor_mask", "input_ids", "attention_mask", "text_group_ids"}
    assert batch["sensor_values"].shape == batch["sensor_mask"].shape == (24, 1440, 26)
    assert (batch["sensor_values"].dtype, batch["sensor_mask"].dtype) == (torch.float32, torch.bool)
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    assert batch["text_group_ids"].shape == (24,)
    assert batch["input_ids"].shape[1] <= 60


def test_captions_are_cut_at_sentences_with_bos_and_eos(
    simulated: list[SensorDay], processor: SensorLMProcessor, captions: Callable[[Batch], list[str]]
) -> None:
    tokenizer = processor.tokenizer
    batch = SensorLMCollator(processor, {LOW: 1.0}, max_length=60)(simulated)
    assert all(text.endswith(".") for text in captions(batch))
    for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
        real = row[mask.bool()]
        assert (real[0], real[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)


def test_evaluation_does_not_augment_days_or_captions(
    simulated: list[SensorDay], processor: SensorLMProcessor, captions: Callable[[Batch], list[str]]
) -> None:
    collator = SensorLMCollator(processor, seed=4, training=False, modality_dropout=0.9, event_crop=0.9)
    batch = collator([{"day": day, "epoch": 7} for day in simulated])
    assert same(batch, collator(simulated)), "evaluation must not depend on the epoch"
    plain = processor(sensor=simulated)
    assert torch.equal(batch["sensor_values"], plain["sensor_values"])
    assert torch.equal(batch["sensor_mask"], plain["sensor_mask"])
    builder = CaptionBuilder(seed=4, tokenizer=processor.tokenizer, max_tokens=254)
    assert captions(batch) == [text.lower() for text in builder.batch(simulated)]


# Randomness


def test_sampling_does_not_depend_on_batch_process_or_order(
    simulated: list[SensorDay], processor: SensorLMProcessor, captions: Callable[[Batch], list[str]]
) -> None:
    options: dict[str, Any] = {"modality_dropout": 0.3, "event_crop": 0.4, "seed": 2}
    collator = SensorLMCollator(processor, {SUMMARY: 1.0, LOW: 1.0}, **options)
    together = collator(simulated)
    for row, day in reversed(list(enumerate(simulated))):
        alone = SensorLMCollator(processor, {SUMMARY: 1.0, LOW: 1.0}, **options)([day])
        assert captions(alone) == [captions(together)[row]]
        assert torch.equal(alone["sensor_mask"][0], together["sensor_mask"][row])
        assert torch.equal(alone["sensor_values"][0], together["sensor_values"][row])


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_num_workers(
    simulated: list[SensorDay], processor: SensorLMProcessor, workers: int
) -> None:
    def batches(count: int) -> list[Batch]:
        loader = torch.utils.data.DataLoader(
            SensorDayDataset(simulated),
            batch_size=8,
            sampler=range(24, 48),  # the second epoch
            collate_fn=SensorLMCollator(processor, modality_dropout=0.3, event_crop=0.4),
            num_workers=count,
        )
        return list(loader)

    assert all(same(one, other) for one, other in zip(batches(0), batches(workers), strict=True))


def test_sampling_depends_on_epoch_and_seed(
    simulated: list[SensorDay], processor: SensorLMProcessor, captions: Callable[[Batch], list[str]]
) -> None:
    def drawn(epoch: int, seed: int) -> list[str]:
        collator = SensorLMCollator(processor, seed=seed)
        return captions(collator([{"day": day, "epoch": epoch} for day in simulated]))

    assert drawn(0, 0) == drawn(0, 0)
    for epoch, seed in ((1, 0), (0, 1)):
        assert sum(one != other for one, other in zip(drawn(0, 0), drawn(epoch, seed), strict=True)) > 12


def test_keys_are_sampled_by_weight(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    collator = SensorLMCollator(processor, {SUMMARY: 3.0, LOW: 1.0, "middle_level_caption": 0.0})
    items = [{"day": day, "epoch": epoch} for day in simulated for epoch in range(20)]
    asked: list[str] = []

    def watched(day: SensorDay, sample_id: str, key: str) -> str:
        asked.append(key)
        return "Some text."

    collator._builder = lambda schema: watched  # type: ignore[assignment,method-assign,return-value]
    for start in range(0, len(items), 48):
        collator(items[start : start + 48])
    assert set(asked) == {SUMMARY, LOW}
    # 480 draws of 3 : 1; three standard deviations are 28.
    assert abs(asked.count(SUMMARY) - 360) < 29


def test_draw_per_batch(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    collator = SensorLMCollator(processor, {SUMMARY: 1.0, LOW: 1.0}, event_crop=0.5, draw_per_batch=True)
    asked: list[tuple[str, bool]] = []

    def watched(day: SensorDay, sample_id: str, key: str) -> str:
        asked.append((key, len(day.events) == 1))
        return f"Text {len(asked)}."

    collator._builder = lambda schema: watched  # type: ignore[assignment,method-assign,return-value]
    # Days with several events, of which a crop leaves one.
    busy = [day for day in simulated if len([e for e in day.events if e.kind != "mood" and e.duration >= 20]) > 2][:6]
    kinds = set()
    for epoch in range(24):
        asked.clear()
        collator([{"day": day, "epoch": epoch} for day in busy])
        assert len(set(asked)) == 1, "expected one draw per batch"
        kinds.add(asked[0])
    assert kinds == {(key, crop) for key in (SUMMARY, LOW) for crop in (False, True)}


def test_contrast_only_captions_have_no_labels(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    keys = {SUMMARY: 1.0, LOW: 1.0}
    plain, split = SensorLMCollator(processor, keys), SensorLMCollator(processor, keys, contrast_only=[SUMMARY])
    one, other = plain(simulated), split(simulated)
    labels = other.pop("labels")
    assert same(one, other)
    for ids, mask, targets in zip(other["input_ids"], other["attention_mask"], labels, strict=True):
        written = "standard deviation" in processor.tokenizer.decode(ids, skip_special_tokens=True)
        expected = ids.masked_fill(mask == 0, -100) if written else torch.full_like(ids, -100)
        assert torch.equal(targets, expected)
    assert 0 < (labels != -100).any(dim=1).sum() < len(labels)
    quiet = SensorLMCollator(processor, keys, contrast_only=[SUMMARY], training=False)(simulated)
    assert torch.equal(quiet["labels"], quiet["input_ids"].masked_fill(quiet["attention_mask"] == 0, -100))


def test_only_contrast_only_captions_are_reworded(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    keys = {SUMMARY: 1.0, LOW: 0.0}
    told = [
        SensorLMCollator(processor, keys, label_rewording=share, contrast_only=only)(simulated)["input_ids"]
        for share, only in ((0.0, [LOW]), (0.9, [LOW]), (0.9, [SUMMARY]))
    ]
    assert torch.equal(told[0], told[1])
    assert told[0].shape != told[2].shape or not torch.equal(told[0], told[2])


def test_channel_omission_affects_captions_only(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    items = [{"day": day, "epoch": epoch} for epoch in range(6) for day in simulated]
    whole = SensorLMCollator(processor, {LOW: 1.0}, max_length=2000)(items)
    batch = SensorLMCollator(processor, {LOW: 1.0}, max_length=2000, channel_omission=0.6)(items)
    assert torch.equal(whole["sensor_values"], batch["sensor_values"])
    assert torch.equal(whole["sensor_mask"], batch["sensor_mask"])
    told, before = (
        [processor.tokenizer.decode(ids, skip_special_tokens=True) for ids in b["input_ids"]] for b in (batch, whole)
    )
    assert all("standard deviation" in text for text in told), "captions must not be empty"
    share = sum("steps" in text for text in told) / sum("steps" in text for text in before)
    assert abs(share - 0.4) < 0.1
    quiet = SensorLMCollator(processor, {LOW: 1.0}, max_length=2000, channel_omission=0.6, training=False)
    plain = SensorLMCollator(processor, {LOW: 1.0}, max_length=2000, training=False)
    assert same(quiet(simulated), plain(simulated))


@pytest.mark.parametrize("given", [SUMMARY, ["high_low_caption"]])
def test_contrast_only_must_be_a_list_of_keys(processor: SensorLMProcessor, given: object) -> None:
    with pytest.raises(ValueError, match="must list keys of `caption_keys`"):
        SensorLMCollator(processor, {SUMMARY: 1.0, LOW: 1.0}, contrast_only=given)  # type: ignore[arg-type]


def test_evaluation_ignores_draw_per_batch_and_event_crop(
    simulated: list[SensorDay], processor: SensorLMProcessor
) -> None:
    keys = {SUMMARY: 1.0, LOW: 1.0}
    one = SensorLMCollator(processor, keys, training=False)
    other = SensorLMCollator(processor, keys, training=False, draw_per_batch=True, event_crop=0.5)
    assert same(one(simulated), other(simulated))


# Dropout and cropping


def test_modality_dropout_rate(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    collator = SensorLMCollator(processor, modality_dropout=0.3)
    items = [{"day": day, "epoch": epoch} for epoch in range(5) for day in simulated]
    before = [day.values.copy() for day in simulated]
    batch = collator(items)
    gone = [lost(item["day"], mask) for item, mask in zip(items, batch["sensor_mask"], strict=True)]
    assert set().union(*gone) == MODALITIES
    # 120 days x 5 modalities at 0.3: 180 on average, three standard deviations are 34.
    assert abs(sum(map(len, gone)) - 180) < 35
    assert all(np.array_equal(day.values, old, equal_nan=True) for day, old in zip(simulated, before, strict=True))


def test_modality_dropout_keeps_at_least_one_modality(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    values = np.full_like(simulated[0].values, np.nan)
    values[:, 0] = simulated[0].values[:, 0]
    single = replace(simulated[0], values=values)  # a watch that only measures heart rate
    collator = SensorLMCollator(processor, modality_dropout=0.95)
    batch = collator([{"day": day, "epoch": epoch} for day in (single, simulated[1]) for epoch in range(30)])
    assert batch["sensor_mask"].any(dim=1).any(dim=1).all()


def test_captions_are_written_before_modality_dropout(
    simulated: list[SensorDay], processor: SensorLMProcessor, captions: Callable[[Batch], list[str]]
) -> None:
    plain = SensorLMCollator(processor, {LOW: 1.0})(simulated)
    dropped = SensorLMCollator(processor, {LOW: 1.0}, modality_dropout=0.8)(simulated)
    assert captions(plain) == captions(dropped)


def test_event_crop_shows_and_captions_one_event(
    processor: SensorLMProcessor, captions: Callable[[Batch], list[str]]
) -> None:
    run, nap, mood = (
        Event("activity", "running", 600, 660),
        Event("sleep", "nap", 800, 830),
        Event("mood", "calm", 9, 9),
    )
    day = a_day(0, run, nap, mood, Event("activity", "walking", 700, 705))  # too short to crop to
    collator = SensorLMCollator(processor, event_crop=0.99)
    batch = collator([{"day": day, "epoch": epoch} for epoch in range(20)])
    spans = set()
    for mask, text in zip(batch["sensor_mask"], captions(batch), strict=True):
        minutes = mask.any(dim=1).nonzero()[:, 0]
        span = (int(minutes[0]), int(minutes[-1]) + 1)
        spans.add(span)
        if span == (600, 660):
            assert "running" in text
            assert "nap" not in text
        assert "calm" not in text or span == (0, 1440)
    assert {(600, 660), (800, 830)} <= spans <= {(600, 660), (800, 830), (0, 1440)}


def test_event_crop_is_clipped_to_window(processor: SensorLMProcessor) -> None:
    day = a_day(0, Event("sleep", "sleep", -200, 300))
    batch = SensorLMCollator(processor, event_crop=0.99)([day])
    assert batch["sensor_mask"][0].any(dim=1).nonzero()[:, 0].tolist() == list(range(300))


def test_days_without_croppable_event_are_not_cropped(processor: SensorLMProcessor) -> None:
    values = a_day().values.copy()
    values[600:700] = np.nan
    off_wrist = replace(a_day(1, Event("activity", "running", 610, 680)), values=values)
    collator = SensorLMCollator(processor, event_crop=0.99)
    for day in (a_day(), a_day(0, Event("mood", "calm", 5, 5)), off_wrist):
        assert torch.equal(collator([day])["sensor_mask"], processor(sensor=[day])["sensor_mask"])


# Groups of equivalent captions


def groups(processor: SensorLMProcessor, days: list[SensorDay], key: str = SUMMARY, **options: Any) -> list[int]:
    """Group ids, renumbered in order of first appearance."""
    ids = SensorLMCollator(processor, {key: 1.0}, **options)(days)["text_group_ids"].tolist()
    return [list(dict.fromkeys(ids)).index(number) for number in ids]


def test_summaries_with_same_names_share_a_group(processor: SensorLMProcessor) -> None:
    run, swim = Event("activity", "running", 600, 660), Event("activity", "swimming", 700, 730)
    first_swim = Event("activity", "swimming", 100, 130)
    brief = Event("activity", "walking", 5, 15)  # too short for a summary to mention
    days = [
        a_day(0, run, swim),
        a_day(1, run),
        a_day(2, first_swim, run, brief),
        a_day(3, run, Event("mood", "calm", 9, 9)),
        a_day(4),
        a_day(5, brief),
    ]
    assert groups(processor, days) == [0, 1, 0, 2, 3, 3]


def test_groups_match_summary_contents(simulated: list[SensorDay], processor: SensorLMProcessor) -> None:
    """Compares with an independent oracle for the events that a summary mentions."""

    def minutes(day: SensorDay, event: Event) -> int:
        return min(event.end_minute, len(day)) - max(event.start_minute, 0)

    def names(day: SensorDay) -> tuple[frozenset[str], frozenset[str]]:
        activities = [e.label for e in day.events if e.kind == "activity" and minutes(day, e) >= 20]
        sleeps = sorted((e for e in day.events if e.kind == "sleep"), key=lambda e: -minutes(day, e))
        moods = [e.label for e in day.events if e.kind == "mood"]
        return frozenset([*activities, *(e.label for e in sleeps[:2])]), frozenset(moods)

    # Days whose events all fit into a caption
    days = [day for day in simulated if len(day.events_of("activity")) <= 8 and len(day.events_of("mood")) <= 8]
    assert len(days) >= 10
    told = groups(processor, days)
    for (i, one), (j, other) in itertools.combinations(enumerate(days), 2):
        assert (told[i] == told[j]) == (names(one) == names(other))


def test_captions_with_different_numbers_have_different_groups(
    simulated: list[SensorDay], processor: SensorLMProcessor
) -> None:
    assert groups(processor, simulated, LOW) == list(range(24))
    assert len(set(groups(processor, [simulated[0], simulated[0]], LOW))) == 1


def test_days_without_findings_share_a_group(processor: SensorLMProcessor) -> None:
    run = Event("activity", "running", 600, 660)
    tolerant = SensorLMProcessor(SensorLMFeatureExtractor(allow_empty=True), processor.tokenizer)
    unworn = [a_day(2, run, observed=False), a_day(3, observed=False)]
    assert groups(tolerant, unworn, LOW) == [0, 0]
    flat = [a_day(0, run), a_day(1)]  # no trend, no peak
    assert groups(tolerant, [*flat, *unworn], "middle_level_caption") == [0, 0, 1, 1]
    assert groups(tolerant, [*flat, *unworn], "high_middle_caption") == [0, 1, 2, 3]


def test_captions_truncated_to_same_text_share_a_group(processor: SensorLMProcessor) -> None:
    many = [Event("activity", name, 60 * i, 60 * i + 50 - i) for i, name in enumerate(["running", "yoga", "dancing"])]
    days = [a_day(0, *many), a_day(0, *many[:2], Event("activity", "golf", 130, 160))]
    texts = SensorLMCollator(processor, max_length=256, training=False)
    assert len(set(texts(days)["text_group_ids"].tolist())) == 2
    short = SensorLMCollator(processor, max_length=20, training=False)
    batch = short(days)
    words = processor.batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert (words[0] == words[1]) == (batch["text_group_ids"][0] == batch["text_group_ids"][1])


# Rejected input


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"caption_keys": {}}, "positive sum, got {}"),
        ({"caption_keys": {SUMMARY: 0.0}}, "positive sum"),
        ({"caption_keys": {SUMMARY: 1.0, LOW: -0.5}}, "non-negative weights"),
        ({"caption_keys": {SUMMARY: float("nan")}}, "non-negative weights"),
        ({"modality_dropout": 1.0}, r"`modality_dropout` must be a probability in \[0, 1\), got 1.0"),
        ({"event_crop": -0.1}, "`event_crop` must be a probability"),
        ({"max_length": 7}, "at least 8 tokens, got 7"),
        ({"caption_keys": {"summary": 1.0}}, "Unknown caption keys summary; there are low_level_caption"),
    ],
)
def test_out_of_range_options_raise(processor: SensorLMProcessor, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SensorLMCollator(processor, **change)


def test_schema_mismatch_with_processor_raises(processor: SensorLMProcessor) -> None:
    day = SensorDay(np.ones((1440, 34)), datetime(2024, 3, 1, tzinfo=timezone.utc), "p", "sensorlm-34")
    with pytest.raises(ValueError, match="34"):
        SensorLMCollator(processor)([day])


# Statements and devices


def test_statements_are_off_by_default(simulated, processor):
    assert not any(name.startswith("statement") for name in SensorLMCollator(processor)(simulated[:2]))


def test_statements_and_their_truth(simulated, processor):
    collator = SensorLMCollator(processor, statements=50)
    batch = collator(simulated[:8])
    ids, mask, true = (batch[f"statement_{name}"] for name in ("ids", "mask", "truth"))
    assert len(ids) == len(mask) == 50
    assert true.shape == (8, 50)
    assert set(true.unique().tolist()) <= {-1, 0, 1}
    assert (mask.sum(1).diff() >= 0).all()  # sorted by length
    texts = processor.batch_decode(ids, skip_special_tokens=True)
    # The facts again, one day and one statement at a time.
    rng = collator_rng(collator, simulated[0])
    facts = [day_facts(day, log_complete=log_is_complete(day)) for day in simulated[:8]]
    by_text = {statement.text.lower(): statement for statement in StatementBank("train").sample(facts, 46, rng)}
    others = [column for column, text in enumerate(texts) if text not in by_text]
    assert len(others) == 4
    assert not true[:, others].any()  # texts about something else are false of every day
    schema = simulated[0].schema
    for column, text in enumerate(texts):
        if text in by_text:
            for row, day in enumerate(simulated[:8]):
                expected = truth([by_text[text]], [facts[row]], day.mask.any(axis=0)[None], schema)
                assert true[row, column] == expected[0, 0], text


def collator_rng(collator: SensorLMCollator, day: SensorDay) -> np.random.Generator:
    return _generator(collator.seed + 1, day.sample_id, 0)


def test_statements_depend_on_days_and_epoch_only(simulated, processor):
    one, other = (SensorLMCollator(processor, statements=20) for _ in range(2))
    items = [{"day": day, "epoch": 3} for day in simulated[:4]]
    assert same(one(items), other(items))
    assert not torch.equal(one(items)["statement_truth"], one(simulated[:4])["statement_truth"])


def test_held_out_wordings_in_evaluation(simulated, processor, monkeypatch):
    monkeypatch.setattr("sensorlm_hf.data.collator.UNRELATED_SHARE", 0)  # texts about something else are not wordings
    training, evaluating = (SensorLMCollator(processor, statements=60, training=flag) for flag in (True, False))
    texts = [
        set(processor.batch_decode(c(simulated[:6])["statement_ids"], skip_special_tokens=True))
        for c in (training, evaluating)
    ]
    assert not texts[0] & texts[1]


def test_incomplete_log_leaves_exercise_undecided(simulated, processor):
    run = Event("activity", "running", 600, 640)
    day = a_day(0, run)
    assert log_is_complete(day)
    assert log_is_complete(replace(day, labels={"exercises": 1}))
    assert not log_is_complete(replace(day, labels={"exercises": 2}))


def test_device_dropout_keeps_channels_of_one_device(simulated, processor):
    days = [day for day in simulated if day.mask.any(axis=0).all()][:6]
    collator = SensorLMCollator(processor, device_dropout=0.999)
    seen = {frozenset(np.flatnonzero(row)) for row in collator(days)["sensor_mask"].any(dim=1).numpy()}
    schema = get_schema("sensorlm-26")
    known = {
        frozenset(i for i, key in enumerate(schema.keys) if profile.name == "all" or key in profile.channels)
        for profile in PROFILES.values()
    }
    assert seen <= known
    assert len(seen) > 1


@pytest.mark.parametrize("statements", [-1, 2.5, True])
def test_wrong_number_of_statements_raises(processor, statements):
    with pytest.raises(ValueError, match="`statements` must be"):
        SensorLMCollator(processor, statements=statements)

"""Event-level windows, and four-class intensity classification on simulated and real subjects."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import torch

from sensorlm_hf import Event, SensorDay
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.readers import ReadReport, read_mmash
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation.tasks import EVENT_TASKS, UNSEEN_TASK, activity_table, get_event_task
from sensorlm_hf.evaluation.zero_shot import crop_to_event, evaluate_event_level, event_crops
from sensorlm_hf.modeling import SensorLMModel
from sensorlm_hf.processing import SensorLMProcessor

DOCS = Path(__file__).resolve().parents[2] / "docs" / "tasks.md"
INTENSITY = get_event_task("intensity")


@pytest.fixture(scope="module")
def demo() -> tuple[SensorLMModel, SensorLMProcessor]:
    torch.set_num_threads(1)
    path = demo_checkpoint()
    model = SensorLMModel.from_pretrained(path, dtype=torch.float32).eval()
    return model, SensorLMProcessor.from_pretrained(path)


def day(*events: Event) -> SensorDay:
    return SensorDay(np.ones((1440, 26)) * 20, datetime(2024, 3, 1, tzinfo=timezone.utc), "p", events=events)


def test_crop_contains_only_the_event() -> None:
    yoga, night = Event("activity", "yoga", 600, 660), Event("sleep", "sleep", -60, 400)
    crop = crop_to_event(day(yoga, night), yoga)
    assert crop.mask[600:660].all()
    assert not crop.mask[:600].any()
    assert not crop.mask[660:].any()
    assert crop.events == (yoga,)
    assert crop_to_event(day(night), night).mask.any(axis=1).sum() == 400  # the part inside the window


def test_short_unmapped_and_unobserved_events_are_skipped() -> None:
    events = (
        Event("activity", "running", 100, 109),
        Event("activity", "eating", 200, 260),
        Event("activity", "running", 300, 340),
        Event("activity", "sitting", 400, 430),
        Event("mood", "calm", 500, 500),
    )
    values = np.ones((1440, 26)) * 20
    values[300:340] = np.nan
    crops = event_crops([dataclasses.replace(day(*events), values=values)], INTENSITY)
    assert [crop.events[0].label for crop in crops.days] == ["sitting"]
    assert crops.classes.tolist() == [1]
    with pytest.raises(ValueError, match="at least 10 observed"):
        event_crops([day()], INTENSITY)


def test_classes_follow_energy_cost_and_diary() -> None:
    of = {label: INTENSITY.class_of(Event("activity", label, 0, 60)) for label in
          ("office work", "large screen use", "housework", "light movement", "running", "medium activity", "yoga",
           "meal", "lying down", "commuting by car")}  # fmt: skip
    assert list(of.values()) == [1, 1, 2, 2, 3, 3, None, None, None, None]
    assert INTENSITY.class_of(Event("sleep", "nap", 0, 60)) == 0
    assert INTENSITY.class_of(Event("mood", "sleep", 0, 60)) is None
    with pytest.raises(ValueError, match="intensity"):
        get_event_task("moods")


def test_unseen_classes_have_distinct_attributes() -> None:
    attributes = [set(phrases[1:]) for phrases in UNSEEN_TASK.phrases]
    assert len({frozenset(a) for a in attributes}) == 5
    assert len(UNSEEN_TASK.class_names) == 5


def test_documented_table_matches_code() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert activity_table() in text
    for task in (*EVENT_TASKS.values(), UNSEEN_TASK):
        assert f"`{task.name}`" in text


def test_demo_model_classifies_simulated_events(demo) -> None:
    days = [d for d in simulate_days(120, seed=77, days_per_person=1) if d.events_of("activity")][:60]
    result = evaluate_event_level(*demo, days, INTENSITY)
    assert result["auroc"] > 0.85
    assert result["events"] == sum(result["support"])
    assert set(result["intervals"]) == {"auroc", "f1", "balanced_accuracy", "accuracy"}


def test_demo_model_classifies_real_events(demo, real_data: Path) -> None:
    days = list(read_mmash(real_data / "mmash", report=ReadReport()))
    result = evaluate_event_level(*demo, days, INTENSITY)
    assert result["auroc"] >= 0.85
    assert min(result["support"]) > 0

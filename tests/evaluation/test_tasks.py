"""The table of zero-shot tasks."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone

import numpy as np
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.evaluation.tasks import TASKS, all_prompts, get_task


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("activity", 20),
        ("environment", 2),
        ("cardio_vs_strength", 2),
        ("locomotion", 2),
        ("gym_cardio", 4),
        ("outdoor_sports", 4),
    ],
)
def test_every_class_has_phrases_and_members(name: str, classes: int) -> None:
    task = get_task(name)
    assert len(task.class_names) == len(task.phrases) == classes
    assert all(task.phrases)
    assert set(task.members.values()) == set(range(classes))


def test_templates_take_one_phrase() -> None:
    assert all(template.count("{}") == 1 for task in TASKS.values() for template in task.templates)


def test_prompts_are_unique_and_cover_every_class() -> None:
    prompts = all_prompts()
    assert len(prompts) == len(set(prompts))
    assert all(any(name in prompt for prompt in prompts) for name in get_task("activity").class_names)


def test_class_of_a_day() -> None:
    day = SensorDay(np.zeros((5, 26)), datetime(2024, 3, 1, tzinfo=timezone.utc), "p", labels={"main_activity": "yoga"})
    task = get_task("activity")
    assert task.class_names[task.class_of(day)] == "yoga"
    assert get_task("environment").class_of(day) == 0
    assert get_task("outdoor_sports").class_of(day) is None
    assert task.class_of(dataclasses.replace(day, labels={"main_activity": "none"})) is None
    assert task.class_of(dataclasses.replace(day, labels={})) is None


def test_unknown_task_raises() -> None:
    with pytest.raises(ValueError, match="available tasks are activity"):
        get_task("sleep")

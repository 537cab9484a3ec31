from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from transformers import pipeline

from sensorlm_hf.pipelines.sensor_timeline import TIMELINE_STEP, masked_windows, window_spans

TASK = "zero-shot-sensor-classification"
LABELS = ["running", "swimming", "a quiet evening"]


@pytest.fixture(scope="module")
def pipe_of(folder_of):
    made = {}

    def make(objective):
        if objective not in made:
            made[objective] = pipeline(TASK, model=str(folder_of(objective)), device="cpu")
        return made[objective]

    return make


def test_windows_are_centred_and_clipped_at_edges():
    spans = window_spans(1440, 60)
    assert len(spans) == 144
    assert spans[0] == (0, 35)
    assert spans[60] == (575, 635)
    assert spans[-1] == (1405, 1440)
    assert window_spans(25, 10) == [(0, 10), (10, 20), (20, 25)]


def test_windows_mask_other_minutes_and_skip_empty_windows():
    mask = torch.ones(1, 200, 2, dtype=torch.bool)
    mask[:, 80:130] = False
    inputs = {"sensor_values": torch.zeros(1, 200, 2), "sensor_mask": mask}
    steps, masks = [], []
    for some, windows in masked_windows(inputs, 20):
        steps += some.tolist()
        masks.append(windows["sensor_mask"])
    shown = torch.cat(masks)
    for step, own in zip(steps, shown, strict=True):
        first, last = window_spans(200, 20)[step]
        expected = mask[0].clone()
        expected[:first] = expected[last:] = False
        assert torch.equal(own, expected)
    assert set(range(20)) - set(steps) == {9, 10, 11}


@pytest.mark.parametrize("objective", ["clip", "siglip", "cap"])
def test_step_score_matches_cropped_day(pipe_of, days, objective):
    pipe, day = pipe_of(objective), days[0]
    answer = pipe(day, LABELS, return_timeline=True)
    assert answer["scores"] == pipe(day, LABELS)
    for step in (0, 57, 143):
        entry = answer["timeline"][step]
        assert (entry["start_minute"], entry["end_minute"]) == (10 * step, 10 * step + 10)
        alone = pipe(day.crop(*window_spans(1440, 60)[step]), LABELS)
        assert entry["scores"] == pytest.approx({e["label"]: e["score"] for e in alone}, abs=1e-5)
        assert sum(entry["scores"].values()) == pytest.approx(1, abs=1e-5)


def test_list_of_days_with_other_options(pipe_of, days):
    pipe = pipe_of("coca")
    answers = pipe(days[:3], LABELS, return_timeline=True, timeline_window=120, top_k=1, multi_label=True, batch_size=2)
    assert [len(a["scores"]) for a in answers] == [1, 1, 1]
    assert all(len(a["timeline"]) == 1440 // TIMELINE_STEP for a in answers)
    single = pipe(days[1], LABELS, return_timeline=True, timeline_window=120, multi_label=True)
    for together, alone in zip(answers[1]["timeline"], single["timeline"], strict=True):
        assert together["scores"] == pytest.approx(alone["scores"], abs=1e-5)
    assert isinstance(pipe(days[0], LABELS), list)


def test_scores_are_none_without_observations(pipe_of, days):
    values = np.array(days[0].values)
    values[400:700] = np.nan
    day = dataclasses.replace(days[0], values=values)
    timeline = pipe_of("clip")(day, LABELS, return_timeline=True)["timeline"]
    missing = [entry["start_minute"] for entry in timeline if entry["scores"] is None]
    assert missing[0] == 430  # its window starts at 405
    assert missing[-1] == 660


def test_invalid_options_raise(pipe_of, days):
    pipe = pipe_of("clip")
    with pytest.raises(ValueError, match="at least 10 minutes, got 5"):
        pipe(days[0], LABELS, return_timeline=True, timeline_window=5)
    with pytest.raises(TypeError, match="return_timeline"):
        pipe(days[0], LABELS, return_timeline="yes")

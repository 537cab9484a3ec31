"""Training arguments: defaults from the release recipe, and validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import HfArgumentParser

from sensorlm_hf.training import SensorLMTrainingArguments


def parse(words: str) -> SensorLMTrainingArguments:
    (found,) = HfArgumentParser([SensorLMTrainingArguments]).parse_args_into_dataclasses(words.split())
    return found


def test_defaults_match_release_recipe(tmp_path: Path) -> None:
    arguments = SensorLMTrainingArguments(output_dir=str(tmp_path))
    assert (arguments.learning_rate, arguments.weight_decay, arguments.max_grad_norm) == (5e-4, 1e-4, 1.0)
    assert (arguments.adam_beta1, arguments.adam_beta2) == (0.9, 0.999)
    assert (arguments.schedule, arguments.schedule_timescale, arguments.cooldown_ratio) == ("rsqrt", 10_000, 0.2)
    assert arguments.get_warmup_steps(1000) == 200
    assert arguments.spread_people
    assert arguments.label_names == [], "with label names, `Trainer` would not report the evaluation loss"
    assert arguments.remove_unused_columns is False


def test_command_line_parses_all_arguments(tmp_path: Path) -> None:
    arguments = parse(
        f"--output_dir {tmp_path} --schedule transformers --lr_scheduler_type cosine --cooldown_ratio 0"
        " --spread_people False --warmup_steps 7 --bf16 --use_cpu"
    )
    assert (arguments.schedule, arguments.lr_scheduler_type) == ("transformers", "cosine")
    assert (arguments.cooldown_ratio, arguments.spread_people, arguments.bf16) == (0.0, False, True)
    assert arguments.get_warmup_steps(1000) == 7


def test_default_lists_are_not_shared(tmp_path: Path) -> None:
    first = SensorLMTrainingArguments(output_dir=str(tmp_path))
    assert first.label_names is not None
    first.label_names.append("labels")
    assert SensorLMTrainingArguments(output_dir=str(tmp_path)).label_names == []


def test_arguments_round_trip_through_dict(tmp_path: Path) -> None:
    arguments = SensorLMTrainingArguments(output_dir=str(tmp_path), schedule_timescale=50.0, cooldown_ratio=0.5)
    told = arguments.to_dict()
    assert (told["schedule"], told["schedule_timescale"], told["cooldown_ratio"]) == ("rsqrt", 50.0, 0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule": "cosine"}, "`schedule` must be one of rsqrt, transformers, got 'cosine'"),
        ({"cooldown_ratio": 1.0}, r"`cooldown_ratio` must be in \[0, 1\), got 1.0"),
        ({"cooldown_ratio": -0.1}, r"`cooldown_ratio` must be in \[0, 1\), got -0.1"),
        ({"schedule_timescale": 0.0}, "`schedule_timescale` must be above 0, got 0.0"),
        ({"remove_unused_columns": True}, "the collator needs the days"),
    ],
)
def test_invalid_arguments_raise(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SensorLMTrainingArguments(output_dir=str(tmp_path), **change)

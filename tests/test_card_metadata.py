"""Metadata of all cards that the package ships or writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import SpaceCard

from hub_cards import check_dataset_card, check_model_card, header
from sensorlm_hf import (
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMModel,
    hub,
    simulate_days,
)
from sensorlm_hf.card_metadata import model_metadata, widget_examples
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data import sensor_day_features
from sensorlm_hf.data.cards import DayStatistics, card_text
from sensorlm_hf.data.licenses import HUB_LICENSES, check_license

ROOT = Path(__file__).resolve().parents[1]


def shipped() -> str:
    return (Path(demo_checkpoint()) / "README.md").read_text(encoding="utf-8")


def test_shipped_card_lists_the_results_of_its_table() -> None:
    card = check_model_card(shipped())
    assert card.data.pipeline_tag == "zero-shot-classification"
    assert card.data.widget
    table = shipped().partition("## Evaluation\n")[2].partition("###")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([\d.]+) \| [\d.]+ \|$", table, flags=re.M)
    assert len(rows) > 30
    listed = [(r.task_name, r.metric_name, f"{r.metric_value:.3f}") for r in card.data.eval_results]
    # The table has three decimals of the value, the metadata four.
    assert [(task, metric) for task, metric, _ in listed] == [(task, metric) for task, metric, _ in rows]
    for (*_, told), (*_, shown) in zip(listed, rows, strict=True):
        assert float(told) == pytest.approx(float(shown), abs=1.01e-3)


def test_shipped_widget_shows_the_models_own_answer() -> None:
    from transformers import pipeline

    (example,) = check_model_card(shipped()).data.widget
    assert example["text"] == "simulate_days(1, seed=2024)[0]"
    labels = example["candidate_labels"].split(", ")
    answers = pipeline("zero-shot-sensor-classification", model=str(demo_checkpoint()))(
        simulate_days(1, seed=2024)[0], candidate_labels=labels
    )
    assert [entry["label"] for entry in answers] == labels
    assert [entry["score"] for entry in answers] == pytest.approx(
        [entry["score"] for entry in example["output"]], abs=1e-3
    )


@pytest.mark.parametrize(
    ("objective", "kind", "task"),
    [
        ("siglip", SensorLMModel, "zero-shot-classification"),
        ("coca", SensorLMForConditionalGeneration, "zero-shot-classification"),
        ("cap", SensorLMForConditionalGeneration, "zero-shot-classification"),
        ("cap", SensorLMModel, "feature-extraction"),
        ("clip", SensorLMForSensorClassification, "tabular-classification"),
    ],
)
def test_cards_of_repositories(objective: str, kind: Any, task: str) -> None:
    model = kind(SensorLMConfig.from_size(objective, "tiny", vocab_size=300))
    card = check_model_card(hub.repository_card(model, "my-model"))
    assert card.data.pipeline_tag == task
    assert objective in card.data.tags
    assert card.data.license == "apache-2.0"


def test_dataset_card() -> None:
    statistics = DayStatistics()
    for day in simulate_days(3, seed=1):
        statistics.add("train", day)
    text = card_text(statistics, sensor_day_features(), name="Three days", source="Made up.", license="odc-by")
    card = check_dataset_card(text)
    assert card.data.size_categories == ["n<1K"]
    assert card.data.pretty_name == "Three days"
    with pytest.raises(ValueError, match="`license` 'CC0' is not an identifier"):
        card_text(statistics, sensor_day_features(), name="x", source="x", license="CC0")


def test_space_card() -> None:
    text = (ROOT / "examples" / "space" / "README.md").read_text(encoding="utf-8")
    card = SpaceCard(text)
    assert SpaceCard(str(card)).data.to_dict() == card.data.to_dict() == header(text)
    assert card.data.license in HUB_LICENSES
    assert card.data.sdk == "gradio"
    assert (ROOT / "examples" / "space" / card.data.app_file).is_file()
    assert len(card.data.short_description) <= 60  # the Hub's limit


def test_metadata_follow_the_model() -> None:
    assert model_metadata("coca")["tags"][-2:] == ["coca", "zero-shot-classification"]
    assert "zero-shot-classification" not in model_metadata("siglip", classifier=True)["tags"]
    (example,) = widget_examples([{"title": "a", "text": "b", "scores": {"x": 0.25, "y": 0.75}}])
    assert example["candidate_labels"] == "y, x"
    assert example["output"] == [{"label": "y", "score": 0.75}, {"label": "x", "score": 0.25}]


@pytest.mark.parametrize(
    ("given", "hint"),
    [("CC BY 4.0", "Did you mean 'cc-by-4.0'"), ("cc-by-4", "'cc-by-4.0'"), ("my own terms", "Use 'other'")],
)
def test_unknown_licences_raise(given: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"`license` '{given}' is not an identifier.*{hint}"):
        check_license(given)
    for known in ("odc-by", "cc-by-2.0", "cdla-permissive-1.0", "bigcode-openrail-m", "unknown", "other"):
        check_license(known)

"""Model cards: Hub metadata and readable content."""

from __future__ import annotations

import argparse
import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from evaluation_cases import RESULTS
from huggingface_hub import ModelCard

from sensorlm_hf.checkpoints import records_folder
from sensorlm_hf.evaluation import related_result, write_model_card
from sensorlm_hf.evaluation.model_card import given_options
from sensorlm_hf.evaluation.model_card import model_card as make

TRAINING: dict[str, Any] = {
    "options": {
        "objective": "coca",
        "size": "tiny",
        "data": "simulated:5000:0",
        "caption_keys": {"high_level_summary_caption": 0.65, "high_low_caption": 0.35},
        "modality_dropout": 0.1,
        "max_text_length": 128,
        "event_crop": 0.3,
        "init_from": None,
    },
    "train_runtime": 1830.0,
    "train_loss": 3.14159,
    "eval_loss": 2.71828,
    "parameters": 8_900_000,
    "train_days": 17_000,
    "days_seen": 101_952,
    "device": "cpu",
    "threads": 2,
    "seed": 0,
}
MEASURED = {
    **RESULTS,
    "data": "simulated:5000:0",
    "split": "test",
    "days": 2000,
    "people": 500,
    "caption_key": "high_level_summary_caption",
    "max_text_length": 128,
}


def a_card(training: dict[str, Any] | None = None, measured: dict[str, Any] | None = None, **options: Any) -> str:
    told = copy.deepcopy(TRAINING)
    told["options"].update(options)
    told.update(training or {})
    return make("my-model", told, {**MEASURED, **(measured or {})}, "python train.py --seed 0")


def test_hub_parses_metadata_and_results() -> None:
    card = ModelCard(a_card())
    assert card.data.library_name == "transformers"
    assert card.data.license == "apache-2.0"
    assert {"sensorlm", "wearables", "simulated-data"} <= set(card.data.tags)
    found = {(r.task_type, r.task_name, r.metric_name): r.metric_value for r in card.data.eval_results}
    assert found[("zero-shot-sensor-classification", "zero-shot activity", "AUROC")] == 0.8437
    assert found[("sensor-text-retrieval", "retrieval sensor to text", "median rank")] == 7.0
    assert found[("sensor-captioning", "captioning", "BLEU-4")] == 31.25
    # 16 headline scores, one of which is undefined.
    assert len(found) == 15
    assert ("zero-shot-sensor-classification", "zero-shot gym_cardio", "AUROC") not in found
    assert {r.dataset_name for r in card.data.eval_results} == {"simulated:5000:0 (synthetic subjects)"}
    assert {r.dataset_split for r in card.data.eval_results} == {"test"}
    assert {r.metric_type for r in card.data.eval_results} >= {"auroc", "balanced_accuracy", "r@1", "bleu-4"}


def test_metadata_round_trips_through_hub_loader() -> None:
    """Loading and saving the card with huggingface_hub preserves its results."""
    text = a_card()
    first, again = ModelCard(text), ModelCard(str(ModelCard(text)))
    assert again.data.eval_results == first.data.eval_results
    # `metadata_update` treats results with the same identifier and metric as duplicates.
    assert len({(r.unique_identifier, r.metric_name) for r in first.data.eval_results}) == 15
    header = yaml.safe_load(text.split("---\n")[1])
    assert [entry["name"] for entry in header["model-index"]] == ["my-model"]


@pytest.mark.parametrize("name", ["model: yes", "- x", "'quoted'", "ünïcode"])
def test_special_characters_in_names_are_escaped(name: str) -> None:
    text = make(name, TRAINING, MEASURED, "train")
    assert yaml.safe_load(text.split("---\n")[1])["model-index"][0]["name"] == name


def test_card_states_that_subjects_are_simulated_and_held_out() -> None:
    text = a_card()
    assert "trained on days of **synthetic subjects**" in text
    assert "none of whom the model was trained on" in text
    assert "It was trained on synthetic subjects only" in text
    assert "not a medical device" in text


@pytest.mark.parametrize(
    "card",
    [
        a_card(measured={"data": "simulated:100:0"}),
        a_card(measured={"data": "me/my-days"}),
        a_card(measured={"split": "train"}),
        a_card(init_from="another-model"),
        a_card({"started_from": TRAINING}, init_from="first", data="simulated:9:1", measured={"data": "simulated:9:0"}),
    ],
    ids=["same seed", "other data", "training split", "first model unknown", "first model's people"],
)
def test_card_does_not_claim_held_out_subjects_for_overlapping_data(card: str) -> None:
    assert "none of whom" not in card


@pytest.mark.parametrize(
    "card",
    [
        a_card(),
        a_card(measured={"data": "simulated:100:7"}),
        a_card({"started_from": TRAINING}, init_from="first", data="simulated:9:1", measured={"data": "simulated:9:1"}),
    ],
    ids=["held-out split", "cohort of another seed", "both runs"],
)
def test_card_claims_held_out_subjects_for_disjoint_data(card: str) -> None:
    assert "none of whom the model was trained on" in card


def test_card_describes_initial_model() -> None:
    lines = a_card({"started_from": TRAINING}, init_from="first").splitlines()
    assert (
        "| started from | a model trained on `simulated:5000:0`, 101952 days seen, `high_level_summary_caption` (0.65),"
        " `high_low_caption` (0.35), at most 128 tokens, seed 0: 30 minutes on cpu (2 threads) |"
    ) in lines
    assert "| started from | a model without a training record |" in a_card(init_from="first").splitlines()
    assert "started from" not in a_card()


def test_card_lists_related_results() -> None:
    rows = [
        related_result("labels: trees", "AUROC", 0.96, "python trees.py", chance=0.5),
        related_result("real events", "AUROC", 0.9, "python real.py", chance=0.5, interval=(0.85, 0.951)),
    ]
    lines = a_card(measured={"related": rows}).splitlines()
    assert "| labels: trees | AUROC | 0.960 | 0.500 | `python trees.py` |" in lines
    assert "| real events | AUROC | 0.900 [0.850, 0.951] | 0.500 | `python real.py` |" in lines
    assert "### Related results" not in a_card()


def test_card_does_not_call_real_data_simulated() -> None:
    text = a_card(data="me/my-days", measured={"data": "me/my-days"})
    assert "simulated" not in re.sub(r"sensorlm_hf\.data\.simulate|simulate_days", "", text)
    assert "Training data: `me/my-days`." in text
    assert "simulated-data" not in ModelCard(text).data.tags


@pytest.mark.parametrize(
    ("objective", "pipelines"),
    [
        ("clip", {"zero-shot-sensor-classification"}),
        ("siglip", {"zero-shot-sensor-classification"}),
        ("cap", {"sensor-captioning"}),
        ("coca", {"zero-shot-sensor-classification", "sensor-captioning"}),
    ],
)
def test_code_example_matches_objective(objective: str, pipelines: set[str]) -> None:
    text = a_card(objective=objective)
    (block,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)
    compile(block, "card", "exec")
    assert set(re.findall(r'pipeline\("([\w-]+)"', block)) == pipelines
    assert block.count('model="my-model"') == len(pipelines)
    assert "{" not in block.replace("{}", "")


def test_card_describes_training() -> None:
    text = a_card()
    for line in (
        "| command | `python train.py --seed 0` |",
        "| data | `simulated:5000:0`: 17000 training days, 101952 seen |",
        "| captions | `high_level_summary_caption` (0.65), `high_low_caption` (0.35) |",
        "| cost | 30 minutes on cpu (2 threads) |",
        "| training loss | 3.142 (mean over the run) |",
        "| evaluation loss | 2.718 |",
        "| zero-shot activity | AUROC | 0.844 | 0.500 |",
    ):
        assert line in text.splitlines()
    without = dict(TRAINING)
    del without["eval_loss"]
    assert "evaluation loss" not in make("m", without, MEASURED, "train")


def test_card_explains_only_reported_metrics() -> None:
    assert "Retrieval is among 100 candidates." in a_card()
    assert "0 to 1, except for the median rank" in a_card()
    assert "BLEU-4 (0 to 100)" in a_card()
    parts = {name: value for name, value in MEASURED.items() if name not in ("retrieval", "captioning")}
    text = make("m", TRAINING, parts, "train")
    assert "Metrics range from 0 to 1." in text
    assert "Retrieval is among" not in text


def test_card_is_saved_with_its_results(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps(TRAINING), encoding="utf-8")
    (tmp_path / "README.md").write_text("old", encoding="utf-8")
    path = write_model_card(tmp_path, "my-model", MEASURED, "python train.py --seed 0")
    assert path == tmp_path / "README.md"
    assert path.read_text(encoding="utf-8") == a_card()
    saved = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert saved["retrieval"] == MEASURED["retrieval"]
    assert saved["zero_shot"]["gym_cardio"]["auroc"] is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["README.md", "evaluation.json", "training.json"]


def test_card_requires_training_record(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"training\.json is missing; .* train it first"):
        write_model_card(tmp_path, "my-model", MEASURED, "train")
    assert not list(tmp_path.iterdir())


def test_shipped_card_matches_results() -> None:
    """The committed card reports the committed results."""
    folder = Path(__file__).resolve().parents[2] / "src/sensorlm_hf/checkpoints/sensorlm-coca"
    results = json.loads((records_folder(folder) / "evaluation.json").read_text(encoding="utf-8"))
    card = ModelCard((folder / "README.md").read_text(encoding="utf-8"))
    told = {(r.task_name, r.metric_name): r.metric_value for r in card.data.eval_results}
    activity = results["zero_shot"]["activity"]
    assert told[("zero-shot activity", "AUROC")] == round(activity["auroc"], 4)
    assert told[("captioning", "ROUGE-L")] == round(results["captioning"]["rougeL"], 4)
    assert activity["auroc"] >= 0.80


def test_shipped_card_is_up_to_date() -> None:
    folder = Path(__file__).resolve().parents[2] / "src/sensorlm_hf/checkpoints/sensorlm-coca"
    training, results = (
        json.loads((records_folder(folder) / name).read_text(encoding="utf-8"))
        for name in ("training.json", "evaluation.json")
    )
    card = (folder / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\| command \| `(.*)` \|$", card, flags=re.M)
    version = re.compile(r"sensorlm_hf [\d.]+\w*")  # the version that wrote it
    assert version.sub("", make("sensorlm-coca", training, results, command)) == version.sub("", card)


def test_given_options_lists_non_default_values() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--folder")
    words = ["--data", "simulated:3", "--bf16", "--folder", "/somewhere"]
    options = parser.parse_args(words)
    given = given_options(parser, options, left_out=("folder",))
    assert given == ["--data", "simulated:3", "--bf16"]
    assert vars(parser.parse_args(given)) == {**vars(options), "folder": None}


def test_sentence_encoder_is_described() -> None:
    alignment = {
        "name": "all-MiniLM-L6-v2", "days": 2000, "data": "simulated:2500:11", "steps": 400, "seed": 0,
        "train_runtime": 1200.0, "device": "cpu", "threads": 2,
    }  # fmt: skip
    text = a_card({"sentence_encoder": alignment})
    assert "| sentence encoder | all-MiniLM-L6-v2, aligned with the sensor tower on statements of known truth" in text
    assert "2000 days of `simulated:2500:11`, 400 steps, seed 0: 20 minutes on cpu (2 threads) |" in text
    assert "30 minutes on cpu (2 threads), 50 in all stages together" in text
    assert "none of whom the model was trained on" in text
    assert "limited to the caption templates" not in text
    assert "limited to the caption templates" in a_card()
    seen = a_card({"sentence_encoder": {**alignment, "data": "my-days"}})
    assert "none of whom the model was trained on" not in seen

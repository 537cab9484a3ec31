"""The plain Accelerate example loop reproduces the loss curve of the trainer."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import run_cases
import torch
from accelerate.state import AcceleratorState
from distributed_parity import free_port, start
from transformers import AutoProcessor, TrainerCallback

from sensorlm_hf.data import write_cohort
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.modeling import SensorLMForConditionalGeneration, load_pretrained
from sensorlm_hf.training import PretrainOptions, SensorLMTrainingArguments, pretrain
from sensorlm_hf.training.pretrain import prepare

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cohort") / "days"
    write_cohort(path, people=24, days_per_person=1, seed=4)
    return path


def words(folder: Path, output: Path, *extra: str) -> list[str]:
    words = ["--data", str(folder), "--output_dir", str(output), "--batch_size", "8", "--epochs", "2", "--cpu"]
    return [*words, "--max_text_length", "48", "--vocab_size", "300", "--seed", "5", "--objective", "coca", *extra]


def loop(folder: Path, output: Path, *extra: str) -> list[float]:
    AcceleratorState._reset_state()  # a fresh script has no precision setting left from an earlier run
    return example("train_accelerate").main(words(folder, output, *extra))


@pytest.fixture(scope="module")
def losses(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[float], Path]:
    output = tmp_path_factory.mktemp("loop")
    return loop(folder, output, "--save_steps", "2"), output


class Record(TrainerCallback):
    """Records the losses logged by a trainer."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if "loss" in logs:
            self.losses.append(logs["loss"])


def trainer_losses(folder: Path, output: Path, bf16: bool = False, **options: bool) -> list[float]:
    arguments = SensorLMTrainingArguments(
        output_dir=str(output),
        num_train_epochs=2,
        per_device_train_batch_size=8,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        seed=5,
        bf16=bf16,
    )
    what = PretrainOptions(objective="coca", data=str(folder), max_text_length=48, vocab_size=300, **options)
    record = Record()
    pretrain(what, arguments, callbacks=lambda parts: [record])
    return record.losses


def test_loop_matches_trainer_loss_curve(losses: tuple[list[float], Path], folder: Path, tmp_path: Path) -> None:
    expected = trainer_losses(folder, tmp_path)
    assert len(expected) == len(losses[0]) >= 4
    assert losses[0] == pytest.approx(expected, rel=1e-6)
    assert expected[-1] < expected[0]
    one, other = (load_pretrained(path) for path in (losses[1], tmp_path))
    for name, weight in one.state_dict().items():
        if name.endswith("k_proj.bias"):
            continue  # Attention does not depend on it: its gradient is rounding noise, scaled up by Adam.
        # Adam's first steps have a size of about 5e-4, so an entry with a rounding-noise gradient may have either sign;
        # there are few of them.
        assert (other.state_dict()[name] - weight).abs().mean() < 1e-5, name


def test_loop_in_bfloat16(losses: tuple[list[float], Path], folder: Path, tmp_path: Path) -> None:
    expected = trainer_losses(folder, tmp_path / "trainer", bf16=True)
    found = loop(folder, tmp_path / "loop", "--mixed_precision", "bf16")
    assert found == pytest.approx(expected, rel=1e-6)
    assert found != losses[0], "nothing was computed in bfloat16"
    assert found == pytest.approx(losses[0], rel=0.05)


def test_loop_resumes_from_checkpoint(losses: tuple[list[float], Path], folder: Path, tmp_path: Path) -> None:
    shutil.copytree(losses[1] / "checkpoint-2", tmp_path / "checkpoint-2")
    for path in losses[1].iterdir():
        if path.is_file() and "safetensors" not in path.name:
            shutil.copy(path, tmp_path)
    assert loop(folder, tmp_path) == losses[0][2:]


@pytest.mark.slow
@pytest.mark.parametrize("fsdp", [False, True])
def test_two_processes_match_one(losses: tuple[list[float], Path], folder: Path, tmp_path: Path, fsdp: bool) -> None:
    """With DDP, and with FSDP2 as in the `accelerate launch` configuration; then resumed from a checkpoint."""

    def run(number: int) -> list[list[float]]:
        (tmp_path / f"losses-{number}").mkdir()
        start(run_cases.loop, 2, 2, free_port(), given, fsdp, str(tmp_path / f"losses-{number}"))
        return [json.loads((tmp_path / f"losses-{number}" / f"{rank}.json").read_text()) for rank in range(2)]

    output = tmp_path / "run"
    given = words(folder, output, "--batch_size", "4", "--save_steps", "3")
    whole = run(1)
    for found in whole:
        assert found == pytest.approx(losses[0], rel=1e-4)
    last = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    done = int(last.name.split("-")[1])
    for path in output.glob("model*.safetensors"):
        path.unlink()
    assert done < len(losses[0])
    assert run(2) == [found[done:] for found in whole]
    for saved in (last, output):
        model, processor = SensorLMForConditionalGeneration.from_pretrained(saved), AutoProcessor.from_pretrained(saved)
        inputs = processor(sensor=simulate_days(2), text=["a day with running"] * 2, return_tensors="pt")
        assert model(**inputs).loss.isfinite()


def test_loop_checkpoint_is_a_model_folder(losses: tuple[list[float], Path]) -> None:
    checkpoint = losses[1] / "checkpoint-2"
    model, processor = (
        SensorLMForConditionalGeneration.from_pretrained(checkpoint),
        AutoProcessor.from_pretrained(checkpoint),
    )
    inputs = processor(sensor=simulate_days(2), text=["a day with running"] * 2, return_tensors="pt")
    assert model(**inputs).loss.isfinite()


def test_streaming_run_trains_and_evaluates(folder: Path, tmp_path: Path) -> None:
    expected = trainer_losses(folder, tmp_path, streaming=True)
    assert len(expected) >= 4
    assert expected[-1] < expected[0]
    assert '"eval_loss"' in (tmp_path / "training.json").read_text()


def test_components_are_deterministic_for_seed(folder: Path, tmp_path: Path) -> None:
    options = PretrainOptions(objective="clip", data=str(folder), max_text_length=48, vocab_size=300)
    one, other = (prepare(options, tmp_path / name, seed=1) for name in ("one", "other"))
    assert one.processor.tokenizer.get_vocab() == other.processor.tokenizer.get_vocab()
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True))

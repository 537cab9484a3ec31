"""Pipelines on the folders that PEFT and trainers save, without files copied by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForMultimodalLM,
    AutoProcessor,
    Trainer,
    TrainingArguments,
    pipeline,
)

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.processing import SensorLMProcessor, train_tokenizer
from sensorlm_hf.training import SensorLMTrainer, SensorLMTrainingArguments, lora_config

peft = pytest.importorskip("peft")

EMBED, CAPTION, ZERO_SHOT = "sensor-feature-extraction", "sensor-captioning", "zero-shot-sensor-classification"
CALLS: dict[str, dict[str, Any]] = {
    EMBED: {},
    CAPTION: {"max_new_tokens": 4},
    ZERO_SHOT: {"candidate_labels": ["running", "a quiet evening"]},
}
TASKS = {"clip": (EMBED, ZERO_SHOT), "siglip": (EMBED, ZERO_SHOT), "cap": tuple(CALLS), "coca": tuple(CALLS)}


def load(folder: Path, objective: str) -> Any:
    auto_class = AutoModelForMultimodalLM if objective in ("cap", "coca") else AutoModel
    return auto_class.from_pretrained(folder)


def adapted(folder: Path, objective: str) -> Any:
    """A model with an adapter that has an effect."""
    torch.manual_seed(1)
    model = load(folder, objective)
    adapter = peft.get_peft_model(model, peft.LoraConfig(target_modules="all-linear", r=2))
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return adapter.eval()


def trained(kind: Any, model: Any, folder: Path, days: list[Any], **kwargs: Any) -> Any:
    """Trains the adapter for a step and saves it in the folder of the run."""
    own = kind is SensorLMTrainer
    arguments = (SensorLMTrainingArguments if own else TrainingArguments)(
        str(folder),
        max_steps=1,
        per_device_train_batch_size=2,
        learning_rate=1e-2,
        remove_unused_columns=False,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        save_steps=1,
    )
    processor = AutoProcessor.from_pretrained(model.get_base_model().name_or_path)
    collator = SensorLMCollator(processor, max_length=40)
    trainer = kind(model, arguments, data_collator=collator, train_dataset=SensorDayDataset(days), **kwargs)
    trainer.train()
    trainer.save_model()
    return model.eval()


SAVERS: dict[str, Callable[..., Any]] = {
    "peft": lambda model, folder, days: model.save_pretrained(folder),
    "Trainer": lambda model, folder, days: trained(Trainer, model, folder, days),
    "Trainer and processor": lambda model, folder, days: trained(
        Trainer,
        model,
        folder,
        days,
        processing_class=AutoProcessor.from_pretrained(model.get_base_model().name_or_path),
    ),
    "SensorLMTrainer": lambda model, folder, days: trained(SensorLMTrainer, model, folder, days),
}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(np.allclose(one, other, atol=1e-5))
    if "score" in one[0]:
        one, other = ({entry["label"]: entry["score"] for entry in results} for results in (one, other))
        return all(score == pytest.approx(other[label], abs=1e-5) for label, score in one.items())
    return bool(one == other)


@pytest.mark.parametrize("saver", SAVERS)
@pytest.mark.parametrize("objective", ["siglip", "cap", "coca"])
def test_pipelines_read_adapter_folder(objective, saver, folder_of, days, tmp_path):
    model = adapted(folder_of(objective), objective)
    SAVERS[saver](model, tmp_path, days)
    has_processor = (tmp_path / "processor_config.json").exists()
    assert has_processor == (saver in ("Trainer and processor", "SensorLMTrainer"))
    assert not (tmp_path / "config.json").exists()
    processor = AutoProcessor.from_pretrained(folder_of(objective))
    for task in TASKS[objective]:
        found = pipeline(task, model=str(tmp_path))(days[0], **CALLS[task])
        expected = pipeline(task, model=model, processor=processor)(days[0], **CALLS[task])
        assert same(found, expected), task
        if task != CAPTION:  # a few greedy tokens may be the same
            assert not same(found, pipeline(task, model=str(folder_of(objective)))(days[0], **CALLS[task])), task
    checkpoint = tmp_path / "checkpoint-1"
    if checkpoint.exists():
        assert same(pipeline(EMBED, model=str(checkpoint))(days[0]), pipeline(EMBED, model=model)(days[0]))


@pytest.mark.parametrize("objective", ["clip", "cap", "coca"])
def test_pipelines_take_models_of_peft_and_transformers(objective, folder_of, days, tmp_path):
    """`AutoPeftModel...`, `from_pretrained` on the adapter, and a model saved with its adapter inside."""
    adapted(folder_of(objective), objective).save_pretrained(tmp_path / "adapter")
    folder = str(tmp_path / "adapter")
    allow = {"import_allowlist": ["sensorlm_hf"]}  # peft imports the class named in the adapter configuration
    auto = peft.AutoPeftModelForFeatureExtraction.from_pretrained(folder, **allow).eval()
    direct = load(Path(folder), objective)
    for task in TASKS[objective]:
        expected = pipeline(task, model=folder)(days[0], **CALLS[task])
        for model in (auto, direct):
            assert same(pipeline(task, model=model)(days[0], **CALLS[task]), expected), task
    # The pipeline's own folder: adapter and processor.
    pipeline(EMBED, model=folder).save_pretrained(tmp_path / "saved")
    assert not list((tmp_path / "saved").glob("model*.safetensors"))
    again = pipeline(EMBED, model=str(tmp_path / "saved"))(days)
    assert same(np.stack(again), np.stack(pipeline(EMBED, model=folder)(days)))


def with_other_means(processor: SensorLMProcessor, by: float) -> SensorLMProcessor:
    for channel in processor.feature_extractor.channels:
        channel["mean"] += by * channel["std"]
    return processor


def means(pipe: Any) -> list[float]:
    return pipe.feature_extractor.channel_means


def test_processor_saved_with_adapter_replaces_that_of_base_model(folder_of, tmp_path):
    base = folder_of("clip")
    own = with_other_means(AutoProcessor.from_pretrained(base), 0.5)
    own.tokenizer = train_tokenizer(["A day with swimming."] * 3, vocab_size=300, max_length=40)
    adapted(base, "clip").save_pretrained(tmp_path)
    own.save_pretrained(tmp_path)
    for model in (str(tmp_path), AutoModel.from_pretrained(tmp_path)):
        pipe = pipeline(ZERO_SHOT, model=model)
        assert means(pipe) == own.feature_extractor.channel_means
        assert pipe.tokenizer.get_vocab() == own.tokenizer.get_vocab()
    # Whatever is given is used, also the processor of the base model.
    third = with_other_means(AutoProcessor.from_pretrained(base), 0.25)
    assert means(pipeline(EMBED, model=str(tmp_path), processor=third)) == third.feature_extractor.channel_means
    pipe = pipeline(EMBED, model=str(tmp_path), feature_extractor=third.feature_extractor)
    assert means(pipe) == third.feature_extractor.channel_means
    original = AutoProcessor.from_pretrained(base)
    pipe = pipeline(EMBED, model=AutoModel.from_pretrained(tmp_path), processor=original)
    assert means(pipe) == original.feature_extractor.channel_means


@pytest.mark.parametrize("task", [EMBED, ZERO_SHOT])
def test_given_processor_replaces_that_of_model_folder(task, folder_of):
    given = with_other_means(AutoProcessor.from_pretrained(folder_of("clip")), 0.5)
    given.tokenizer.add_tokens(["swimming"])
    pipe = pipeline(task, model=str(folder_of("clip")), processor=given)
    assert means(pipe) == given.feature_extractor.channel_means
    if task == ZERO_SHOT:
        assert "swimming" in pipe.tokenizer.get_vocab()
    extractor = with_other_means(AutoProcessor.from_pretrained(folder_of("clip")), 0.25).feature_extractor
    assert means(pipeline(task, model=str(folder_of("clip")), feature_extractor=extractor)) == extractor.channel_means


def test_adapter_loaded_later_cannot_be_completed(folder_of, tmp_path):
    """Its source is unknown, so the decoder of a captioner cannot be loaded with it."""
    adapted(folder_of("cap"), "cap").save_pretrained(tmp_path)
    towers = AutoModel.from_pretrained(folder_of("cap"))
    towers.load_adapter(str(tmp_path))
    with pytest.raises(ValueError, match="the adapter of this model may adapt the decoder as well"):
        pipeline(ZERO_SHOT, model=towers, processor=AutoProcessor.from_pretrained(folder_of("cap")))


def test_adapter_of_sentence_encoder_of_shipped_model(days, tmp_path):
    """The packaged model by name, adapted in its pretrained text tower only."""
    model = AutoModelForMultimodalLM.from_pretrained("sensorlm-coca", dtype=torch.float32)
    processor = AutoProcessor.from_pretrained("sensorlm-coca")
    config = peft.LoraConfig(target_modules=r".*sentence_encoder\.language_model\..*\.(query|value)", r=2)
    adapter = peft.get_peft_model(model, config).train()
    names = [name for name, parameter in adapter.named_parameters() if parameter.requires_grad]
    assert names
    assert all("text_model.sentence_encoder.language_model." in name for name in names)
    # Captions are left to the causal layers; statements are read by the encoder.
    collator = SensorLMCollator(processor, max_length=48, statements=16)
    batch = collator([{"day": day, "epoch": 0} for day in days[:2]])
    optimizer = torch.optim.SGD([p for p in adapter.parameters() if p.requires_grad], lr=1.0)
    for _ in range(2):
        adapter(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    adapter.eval().save_pretrained(tmp_path)
    labels = {"candidate_labels": ["going for a jog", "an afternoon on the sofa"]}
    found = pipeline(ZERO_SHOT, model=str(tmp_path), dtype=torch.float32)(days[0], **labels)
    assert same(found, pipeline(ZERO_SHOT, model=adapter)(days[0], **labels))
    base = pipeline(ZERO_SHOT, model="sensorlm-coca", dtype=torch.float32)(days[0], **labels)
    assert not same(found, base)
    merged = adapter.merge_and_unload()
    assert same(pipeline(ZERO_SHOT, model=merged, processor=processor)(days[0], **labels), found)
    # The preset for texts reaches the same layers.
    preset = peft.get_peft_model(merged, lora_config(merged, ("text",), rank=2))
    assert any(".sentence_encoder.language_model." in name for name, _ in preset.named_parameters() if "lora_" in name)

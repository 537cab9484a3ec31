"""Every pipeline in transformers' common tests, with each model that it takes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import types
import unittest
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import numpy as np
import pytest
import torch
from common_mixins import load
from transformers import AutoTokenizer, BertConfig, GPT2Config, pipeline

from sensorlm_hf.modeling import SensorLMConfig, pretraining_class
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer

PARTS = {kind.__name__: kind for kind in (SensorLMFeatureExtractor, SensorLMProcessor, AutoTokenizer)}


def _mixin() -> Any:
    """Imports the mixin, which takes tiny models from a folder, and the classes of their parts from transformers."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "reports").mkdir()
        (Path(folder) / "reports" / "tiny_model_summary.json").write_text("{}", encoding="utf-8")
        with (
            mock.patch.dict(os.environ, TRANSFORMERS_TINY_MODEL_PATH=folder),
            mock.patch("transformers.utils.direct_transformers_import", return_value=types.SimpleNamespace(**PARTS)),
        ):
            return load("test_pipeline_mixin")


pipelines = _mixin()
pytestmark = pytest.mark.slow
TEXTS = ["Slept for 7.5 hours, then went running for 40 minutes.", "Heart rate averaged 72.4 bpm; 9120 steps."]
TOWER = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 2}


def days(count: int) -> list[np.ndarray]:
    """Days of average values, each with one hour missing."""
    means = np.asarray(SensorLMFeatureExtractor().channel_means, dtype=np.float32)
    made = [np.tile(means, (1440, 1)) for _ in range(count)]
    for number, day in enumerate(made):
        day[60 * number : 60 * number + 60] = np.nan
    return made


class TaskTest:
    """What the mixin asks of the tests of a task.

    Attributes:
        task: The task.
        options: Of every call.
    """

    task: str
    options: ClassVar[dict[str, Any]] = {}

    def get_test_pipeline(self, model: Any, tokenizer: Any, dtype: str, **parts: Any) -> tuple[Any, list[Any]]:
        model = model.to(getattr(torch, dtype))  # `pipeline` does not convert a model that is loaded already
        return pipeline(self.task, model=model, tokenizer=tokenizer, dtype=dtype, **parts, **self.options), days(3)

    def run_pipeline_test(self, run: Any, examples: list[Any]) -> None:
        one, several = run(examples[0]), run(examples, batch_size=2)
        self.check(one)
        assert len(several) == len(examples)
        for result in several:
            self.check(result)
        stream = list(run(example for example in examples))
        assert len(stream) == len(examples)

    def check(self, result: Any) -> None:
        """Checks the result of one day."""
        raise NotImplementedError


class SensorCaptioningTests(TaskTest):
    task = "sensor-captioning"
    options: ClassVar[dict[str, Any]] = {"max_new_tokens": 4}

    def check(self, result: Any) -> None:
        assert [set(caption) for caption in result] == [{"generated_text"}]
        assert isinstance(result[0]["generated_text"], str)


class ZeroShotSensorClassificationTests(TaskTest):
    task = "zero-shot-sensor-classification"
    options: ClassVar[dict[str, Any]] = {"candidate_labels": ["running", "sleep", "walking"]}

    def check(self, result: Any) -> None:
        assert sorted(entry["label"] for entry in result) == ["running", "sleep", "walking"]
        scores = [entry["score"] for entry in result]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


class SensorFeatureExtractionTests(TaskTest):
    task = "sensor-feature-extraction"

    def check(self, result: Any) -> None:
        embedding = np.asarray(result, dtype=np.float32)
        assert embedding.shape[-1] == 32
        assert np.isfinite(embedding).all()


TASKS = (SensorCaptioningTests, ZeroShotSensorClassificationTests, SensorFeatureExtractionTests)
pipelines.pipeline_test_mapping.update({kind.task: {"test": f"{__name__}.{kind.__name__}"} for kind in TASKS})


class Pipelines(pipelines.PipelineTesterMixin):
    """The tasks of SensorLM. The mixin's own are those of other modalities, which it skips for want of a model.

    Attributes:
        objective: That of the model.
        language_model: Type and configuration of its pretrained text tower.
        tasks: The pipelines that it runs in.
    """

    objective: str
    language_model: ClassVar[Any] = None
    tasks: tuple[type[TaskTest], ...] = (ZeroShotSensorClassificationTests, SensorFeatureExtractionTests)

    def setUp(self) -> None:
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)  # type: ignore[attr-defined]
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        tokenizer = train_tokenizer(TEXTS, vocab_size=300, max_length=32)
        text: dict[str, Any] = {**TOWER, "vocab_size": len(tokenizer), "max_position_embeddings": 32}
        if self.language_model is not None:
            text = {"language_model_config": self.language_model(len(tokenizer)), "max_position_embeddings": 32}
        extractor = SensorLMFeatureExtractor()
        sensor = {**TOWER, "patch_channels": 26, "channel_keys": list(extractor.channel_keys)}
        config = SensorLMConfig(
            objective=self.objective,
            sensor_config=sensor,
            text_config={**text, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
            num_caption_queries=5,
        )
        torch.manual_seed(0)
        kind = pretraining_class(config)
        place = Path(folder) / config.model_type / kind.__name__
        kind(config).save_pretrained(place)
        SensorLMProcessor(extractor, tokenizer).save_pretrained(place)
        parts = {"tokenizer_classes": ["AutoTokenizer"], "processor_classes": ["SensorLMFeatureExtractor"]}
        values = {"TRANSFORMERS_TINY_MODEL_PATH": folder, "tiny_model_summary": {kind.__name__: parts}}
        stack.enter_context(mock.patch.multiple(pipelines, **values))
        processor = {config.model_type: SensorLMProcessor.__name__}
        stack.enter_context(mock.patch.dict(pipelines.PROCESSOR_MAPPING_NAMES, processor))
        self.pipeline_model_mapping = {test.task: kind for test in self.tasks}

    def _run(self, dtype: str) -> None:
        for test in self.tasks:
            with self.subTest(task=test.task):  # type: ignore[attr-defined]
                self.run_task_tests(test.task, dtype=dtype)

    def test_sensor_pipelines(self) -> None:
        self._run("float32")

    def test_sensor_pipelines_fp16(self) -> None:
        self._run("float16")


for _name in [name for name in dir(Pipelines) if name.startswith("test_pipeline_")]:
    setattr(Pipelines, _name, None)


def bert(vocab: int) -> BertConfig:
    return BertConfig(vocab_size=vocab, max_position_embeddings=32, **TOWER)


def gpt2(vocab: int) -> GPT2Config:
    return GPT2Config(vocab_size=vocab, n_positions=32, n_embd=32, n_layer=4, n_head=4)


class ClipPipelines(Pipelines, unittest.TestCase):
    objective = "clip"


class SiglipPipelines(Pipelines, unittest.TestCase):
    objective = "siglip"


class CapPipelines(Pipelines, unittest.TestCase):
    objective, tasks = "cap", TASKS


class CocaPipelines(Pipelines, unittest.TestCase):
    objective, tasks = "coca", TASKS


class SiglipWithBertPipelines(SiglipPipelines):
    language_model = staticmethod(bert)


class ClipWithGPT2Pipelines(ClipPipelines):
    language_model = staticmethod(gpt2)


class CapWithGPT2Pipelines(CapPipelines):
    language_model = staticmethod(gpt2)


class CocaWithGPT2Pipelines(CocaPipelines):
    language_model = staticmethod(gpt2)

"""Writes complete model repositories: weights, processor, tokenizer, card and, for users without the package, code.

With the package installed, no code from the repository is executed. Without it,
`AutoModel.from_pretrained(name, trust_remote_code=True)`, `AutoProcessor` and `pipeline` run the code stored in the
repository.
"""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCard, ModelCardData
from transformers.dynamic_module_utils import get_relative_import_files

from ._version import __version__
from .card_metadata import model_metadata
from .io import staged_files
from .modeling import (
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMModel,
)
from .processing import SensorLMFeatureExtractor, SensorLMProcessor
from .processing.pairing import check_pair

_EITHER = ("AutoModel", "AutoModelForMultimodalLM")

PIPELINES = {
    "zero-shot-sensor-classification": (
        "zero_shot_sensor_classification.ZeroShotSensorClassificationPipeline",
        _EITHER,
    ),
    "sensor-captioning": ("sensor_captioning.SensorCaptioningPipeline", ("AutoModelForMultimodalLM",)),
    "sensor-feature-extraction": ("sensor_feature_extraction.SensorFeatureExtractionPipeline", _EITHER),
}
"""Pipeline tasks and their classes, as referenced in `config.json`."""

_AUTO_CLASSES: dict[Any, str] = {
    SensorLMConfig: "AutoConfig",
    SensorLMModel: "AutoModel",
    SensorLMForConditionalGeneration: "AutoModelForMultimodalLM",
    SensorLMForSensorClassification: "AutoModelForSequenceClassification",
    SensorLMFeatureExtractor: "AutoFeatureExtractor",
    SensorLMProcessor: "AutoProcessor",
}


_MODELS = (SensorLMModel, SensorLMForConditionalGeneration, SensorLMForSensorClassification)


def register_for_auto_class() -> None:
    """Makes `save_pretrained` and `push_to_hub` of models and processors include their code.

    Pipeline code is only written by [`save_repository`].
    """
    for kind, auto_class in _AUTO_CLASSES.items():
        kind.register_for_auto_class(auto_class)


@contextlib.contextmanager
def _registered() -> Iterator[None]:
    before = {kind: kind._auto_class for kind in _AUTO_CLASSES}
    register_for_auto_class()
    try:
        yield
    finally:
        for kind, auto_class in before.items():
            kind._auto_class = auto_class


def save_repository(
    model: Any,
    processor: Any,
    folder: str | os.PathLike,
    *,
    remote_code: bool = True,
    card: str | None = None,
) -> list[Path]:
    """Writes a complete model repository.

    Files are written to a temporary folder first, the weights are moved into place last, and other files are kept.

    Args:
        model: A [`SensorLMModel`], [`SensorLMForConditionalGeneration`] or [`SensorLMForSensorClassification`].
        processor: Its [`SensorLMProcessor`].
        folder: Output folder; created if it does not exist.
        remote_code: Whether to include the code of model, processor and pipelines, for users without the package.
        card: Text of `README.md`. By default an existing card is kept, and otherwise a short one is written.

    Returns:
        The files written.

    Raises:
        ValueError: If the processor does not match the model, or `folder` is a file.
        TypeError: If the model has an unsupported type.
    """
    if not isinstance(model, _MODELS):
        raise TypeError(
            f"`model` must be a {' or '.join(kind.__name__ for kind in _MODELS)}, got {type(model).__name__}."
        )
    check_pair(model, processor)
    folder = Path(folder)
    if folder.is_file():
        raise ValueError(f"`folder` must be a folder, but {str(folder)!r} is a file.")
    with staged_files(folder, last=lambda path: "safetensors" in path.name) as partial:
        _save(model, copy.deepcopy(processor), partial, remote_code)
        if card is not None or not (folder / "README.md").is_file():
            text = card if card is not None else repository_card(model, folder.resolve().name, remote_code)
            (partial / "README.md").write_text(text, encoding="utf-8")
        names = sorted(path.name for path in partial.iterdir())
    return [folder / name for name in names]


def _save(model: Any, processor: Any, folder: Path, remote_code: bool) -> None:
    if not remote_code:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        return
    config = model.config
    before = {name: getattr(config, name) for name in ("auto_map", "custom_pipelines") if hasattr(config, name)}
    try:
        # Saving adds the model's own class; `AutoModel` loads the base model of one with a decoder.
        generative = isinstance(model, SensorLMForConditionalGeneration)
        config.auto_map = {"AutoModel": "modeling_sensorlm.SensorLMModel"} if generative else {}
        tasks = _tasks(model)
        if tasks:
            config.custom_pipelines = {
                task: {
                    "impl": PIPELINES[task][0],
                    "pt": [name for name in PIPELINES[task][1] if name == "AutoModel" or generative],
                }
                for task in tasks
            }
            _copy_pipelines(folder)
        with _registered():
            model.save_pretrained(folder)
            processor.save_pretrained(folder)
    finally:
        for name in ("auto_map", "custom_pipelines"):
            config.__dict__.pop(name, None)
            if name in before:
                setattr(config, name, before[name])


def _tasks(model: Any) -> list[str]:
    """Returns the pipelines that a model can serve."""
    tasks = []
    if not isinstance(model, SensorLMForSensorClassification):
        if model.config.is_contrastive or model.can_generate():
            tasks.append("zero-shot-sensor-classification")
        if model.can_generate():
            tasks.append("sensor-captioning")
        tasks.append("sensor-feature-extraction")
    return tasks


def _copy_pipelines(folder: Path) -> None:
    sources = Path(__file__).parent / "pipelines"
    for implementation, _ in PIPELINES.values():
        file = sources / f"{implementation.split('.')[0]}.py"
        for source in (file, *map(Path, get_relative_import_files(file))):
            shutil.copyfile(source, folder / source.name)


def push_repository(
    model: Any,
    processor: Any,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    commit_message: str = "Upload model",
    **options: Any,
) -> str:
    """Uploads the output of [`save_repository`] in one commit.

    Args:
        model: A [`SensorLMModel`], [`SensorLMForConditionalGeneration`] or [`SensorLMForSensorClassification`].
        processor: Its processor.
        repo_id: Repository, `you/name`; created if it does not exist.
        private: Whether a new repository is private.
        token: Hub token; by default that of `hf auth login`.
        commit_message: Commit message.
        options: Further arguments of [`save_repository`].

    Returns:
        The URL of the commit.
    """
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / repo_id.split("/")[-1]
        save_repository(model, processor, folder, **options)
        api.create_repo(repo_id, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=commit_message))


def repository_card(model: Any, name: str, remote_code: bool = True) -> str:
    """Returns a short model card: the model's input and how to load it, with and without the package.

    Args:
        model: The model.
        name: Name of the repository.
        remote_code: Whether the repository includes its code.
    """
    config = model.config
    sensor = config.sensor_config
    channels = ", ".join(f"`{key}`" for key in sensor.channel_keys or []) or f"{sensor.num_channels} channels"
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    metadata = model_metadata(
        config.objective,
        classifier=isinstance(model, SensorLMForSensorClassification),
        zero_shot="zero-shot-sensor-classification" in _tasks(model),
    )
    data = ModelCardData(license="apache-2.0", **metadata)
    auto_class = next(name for kind, name in _AUTO_CLASSES.items() if isinstance(model, kind))
    trust = ", trust_remote_code=True" if remote_code else ""
    without = (
        "Without the package, `trust_remote_code=True` runs the code in this repository; with the package installed"
        " (`import sensorlm_hf`), omit the flag."
        if remote_code
        else "It requires the package: run `import sensorlm_hf` first."
    )
    pipeline = ""
    if _tasks(model) and config.is_contrastive:
        pipeline = (
            f'\nclassify = pipeline("zero-shot-sensor-classification", model="{name}"{trust})\n'
            'print(classify(day, candidate_labels=["running", "a quiet day"], allow_empty=True))'
        )
    elif "sensor-captioning" in _tasks(model):
        pipeline = (
            f'\ndescribe = pipeline("sensor-captioning", model="{name}"{trust})\nprint(describe(day, allow_empty=True))'
        )
    names = [auto_class, "AutoProcessor", *(["pipeline"] if pipeline else [])]
    imports = f"import numpy as np\nfrom transformers import {', '.join(names)}"
    text = f"""---
{data.to_yaml()}
---

# {name}

A SensorLM model ({config.objective}, {millions:.1f} M parameters), created with sensorlm_hf {__version__}. Its input
is a window of {sensor.window_minutes} minutes, one value per minute, NaN where nothing was observed: {channels}.

```python
{imports}

model = {auto_class}.from_pretrained("{name}"{trust})
processor = AutoProcessor.from_pretrained("{name}"{trust})
day = np.full(({sensor.window_minutes}, {sensor.num_channels}), np.nan)  # your own values, in physical units
inputs = processor(sensor=day, allow_empty=True){pipeline}
```

{without}

Describe here what the model was trained on and how well it performs. It is not a medical device.
"""
    return str(ModelCard(text))


__all__ = ["PIPELINES", "push_repository", "register_for_auto_class", "repository_card", "save_repository"]

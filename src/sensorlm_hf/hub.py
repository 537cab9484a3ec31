"""Writes whole model repositories: weights, processor, tokenizer, card and, for people without the package, code.

With the package installed a repository loads without any code of its own. Without it,
`AutoModel.from_pretrained(name, trust_remote_code=True)`, `AutoProcessor` and `pipeline` run the files that lie beside
the weights.
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
from .io import staged_files
from .modeling import SensorLMConfig, SensorLMForSensorClassification, SensorLMModel
from .processing import SensorLMFeatureExtractor, SensorLMProcessor
from .processing.pairing import check_pair

PIPELINES = {
    "zero-shot-sensor-classification": "zero_shot_sensor_classification.ZeroShotSensorClassificationPipeline",
    "sensor-captioning": "sensor_captioning.SensorCaptioningPipeline",
    "sensor-feature-extraction": "sensor_feature_extraction.SensorFeatureExtractionPipeline",
}
"""Tasks and the classes that do them, as `config.json` names them."""

_AUTO_CLASSES: dict[Any, str] = {
    SensorLMConfig: "AutoConfig",
    SensorLMModel: "AutoModel",
    SensorLMForSensorClassification: "AutoModelForSequenceClassification",
    SensorLMFeatureExtractor: "AutoFeatureExtractor",
    SensorLMProcessor: "AutoProcessor",
}


def register_for_auto_class() -> None:
    """Makes every `save_pretrained` and `push_to_hub` of models and processors write their code too.

    The pipelines are written by [`save_repository`] only.
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
    """Writes everything that a model repository holds.

    The files are written beside their place first, the weights are moved in last, and other files in the folder stay.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForSensorClassification`].
        processor: Its [`SensorLMProcessor`].
        folder: Folder to write to; made if absent.
        remote_code: Whether to write the code of model, processor and pipelines for people without the package.
        card: Text of `README.md`. By default a card that the folder holds stays, and a short one is written else.

    Returns:
        The files written.

    Raises:
        ValueError: If the processor is not the model's, or `folder` is a file.
        TypeError: If the model is of another kind.
    """
    if not isinstance(model, (SensorLMModel, SensorLMForSensorClassification)):
        raise TypeError(
            f"`model` must be a SensorLMModel or SensorLMForSensorClassification, got {type(model).__name__}."
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
        if isinstance(model, SensorLMModel):
            captions = model.config.is_generative
            config.custom_pipelines = {
                task: {"impl": implementation, "pt": ["AutoModel"]}
                for task, implementation in PIPELINES.items()
                if captions or task != "sensor-captioning"
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


def _copy_pipelines(folder: Path) -> None:
    sources = Path(__file__).parent / "pipelines"
    for implementation in PIPELINES.values():
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
    """Uploads what [`save_repository`] writes in one commit.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForSensorClassification`].
        processor: Its processor.
        repo_id: Repository, `you/name`; made if absent.
        private: Whether a new repository is private.
        token: Token of the Hub; by default that of `hf auth login`.
        commit_message: Message of the commit.
        options: Further arguments of [`save_repository`].

    Returns:
        The address of the commit.
    """
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / repo_id.split("/")[-1]
        save_repository(model, processor, folder, **options)
        api.create_repo(repo_id, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=commit_message))


def repository_card(model: Any, name: str, remote_code: bool = True) -> str:
    """Writes a short card: what the model reads and how to load it, with and without the package.

    Args:
        model: The model.
        name: Name of the repository.
        remote_code: Whether the repository holds its code.
    """
    config = model.config
    sensor = config.sensor_config
    channels = ", ".join(f"`{key}`" for key in sensor.channel_keys or []) or f"{sensor.num_channels} channels"
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    classifies = isinstance(model, SensorLMForSensorClassification)
    tags = ["wearables", "time-series", "sensorlm", config.objective]
    data = ModelCardData(library_name="transformers", license="apache-2.0", tags=tags)
    auto_class = "AutoModelForSequenceClassification" if classifies else "AutoModel"
    trust = ", trust_remote_code=True" if remote_code else ""
    without = (
        "Without the package, the code beside the weights runs, which `trust_remote_code=True` allows; with it"
        " installed (`import sensorlm_hf`) leave that out."
        if remote_code
        else "It needs the package: `import sensorlm_hf` first."
    )
    pipeline = ""
    if not classifies and config.objective != "cap":
        pipeline = (
            f'\nclassify = pipeline("zero-shot-sensor-classification", model="{name}"{trust})\n'
            'print(classify(day, candidate_labels=["running", "a quiet day"], allow_empty=True))'
        )
    elif not classifies:
        pipeline = (
            f'\ndescribe = pipeline("sensor-captioning", model="{name}"{trust})\nprint(describe(day, allow_empty=True))'
        )
    names = [auto_class, "AutoProcessor", *(["pipeline"] if pipeline else [])]
    imports = f"import numpy as np\nfrom transformers import {', '.join(names)}"
    text = f"""---
{data.to_yaml()}
---

# {name}

A SensorLM ({config.objective}, {millions:.1f} M parameters) made with sensorlm_hf {__version__}. It reads windows of
{sensor.window_minutes} minutes, one value a minute, NaN where nothing was observed: {channels}.

```python
{imports}

model = {auto_class}.from_pretrained("{name}"{trust})
processor = AutoProcessor.from_pretrained("{name}"{trust})
day = np.full(({sensor.window_minutes}, {sensor.num_channels}), np.nan)  # put your own values here, in physical units
inputs = processor(sensor=day, allow_empty=True){pipeline}
```

{without}

Tell here what the model was trained on and how well it does. It is not a medical device.
"""
    return str(ModelCard(text))


__all__ = ["PIPELINES", "push_repository", "register_for_auto_class", "repository_card", "save_repository"]

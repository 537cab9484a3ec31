"""Finds the feature extractor and the tokenizer of a sensor pipeline.

`transformers.pipeline` loads them from the model's source, and for an adapter from its base model, whatever else is
there or given. So they may have to give way to those of a processor that the user passed or saved with the adapter.

This file is uploaded with models as remote code; it only imports files from the same folder.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoFeatureExtractor, AutoTokenizer

_AUTO_CLASSES = {"feature_extractor": AutoFeatureExtractor, "tokenizer": AutoTokenizer}


def base_of(model: Any) -> Any:
    """Returns the model inside a PEFT model; other models are returned unchanged."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def has_adapter_source(model: Any) -> bool:
    """Whether a model was loaded by `from_pretrained` from an adapter, so that its source is known."""
    return getattr(base_of(model), "_adapter_source", None) is not None


def source_of(model: Any, adapter: bool = False) -> tuple[str, dict[str, Any]]:
    """Returns where a model, or its adapter, was loaded from.

    Args:
        model: The model, plain or a PEFT model.
        adapter: Whether the source of the adapter is wanted; see [`has_adapter_source`].

    Returns:
        The name or path, and options with which other files are loaded from there: revision and remote code.
    """
    base = base_of(model)
    # The commit is known for models from the Hub.
    source, revision = base.name_or_path, getattr(base.config, "_commit_hash", None)
    if adapter:
        source, revision = base._adapter_source
    options: dict[str, Any] = {} if revision is None else {"revision": revision}
    if type(base).__module__.startswith("transformers_modules."):
        options["trust_remote_code"] = True
    return str(source), options


def find_part(name: str, given: Any, processor: Any, model: Any, task: str) -> Any:
    """Returns a part of a pipeline.

    A part that was passed takes precedence over that of a processor that was passed, which does over the part saved
    with the model's adapter, and this one over that of the base model.

    Args:
        name: `"feature_extractor"` or `"tokenizer"`.
        given: The part that the pipeline got: passed by the user, or loaded by transformers from the base model.
        processor: The processor that it got, passed or loaded likewise.
        model: The model, plain or a PEFT model.
        task: The pipeline's task, for the error message.

    Raises:
        ValueError: If there is none.
    """
    in_processor = getattr(processor, name, None)
    errors: list[str] = []
    # The base class fills parts that it did not get from the processor: then that one was passed.
    if given is not None and in_processor is not None and given is not in_processor:
        if _same(given, in_processor):
            # Those of the base model, which transformers loaded, or ones that were passed.
            saved = _load(name, *source_of(model, adapter=True), errors) if has_adapter_source(model) else None
            return given if saved is None or not _is_of_base(name, given, model) else saved
        # One of them was passed: the one that is not the base model's.
        return in_processor if _is_of_base(name, given, model) else given
    part = in_processor if given is None else given
    if part is None and has_adapter_source(model):
        part = _load(name, *source_of(model, adapter=True), errors)
    if part is None:
        part = _load(name, *source_of(model), errors)
    if part is None:
        raise ValueError(
            f"The task {task!r} needs a {name.replace('_', ' ')}: give `{name}=` or `processor=`. None could be loaded"
            f" from {source_of(model)[0]!r}, the source of the model: {errors[-1]}"
        )
    return part


def _load(name: str, source: str, options: dict[str, Any], errors: list[str]) -> Any:
    """Loads a part; `None` if there is none, with the reason added to `errors`."""
    try:
        return _AUTO_CLASSES[name].from_pretrained(source, **options)
    except Exception as error:  # its type depends on what is missing
        errors.append(str(error))
        return None


def _is_of_base(name: str, part: Any, model: Any) -> bool:
    return _same(part, _load(name, *source_of(model), []))


def _same(one: Any, other: Any) -> bool:
    """Whether two parts do the same."""
    if one is None or other is None:
        return False
    if hasattr(one, "get_vocab") and hasattr(other, "get_vocab"):
        return len(one) == len(other) and (
            one.name_or_path == other.name_or_path != "" or one.get_vocab() == other.get_vocab()
        )
    return bool(one.to_dict() == other.to_dict())


__all__ = ["base_of", "find_part", "has_adapter_source", "source_of"]

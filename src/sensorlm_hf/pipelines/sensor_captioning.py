"""Captioning of days with a model that has a text decoder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .sensor_pipeline_base import SensorPipeline

CASED_WORDS = (
    "HF", "HIIT", "HRV", "LF", "pNN20", "REM", "RMSSD", "RR", "SDNN", "Shannon", "SpO2", "VLF",
)  # fmt: skip
"""Words of channel labels and activities that are not written in lower case."""

_CASED = {word.lower(): word for word in CASED_WORDS}
_WORD = re.compile(rf"\b(?:{'|'.join(_CASED)})\b", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-z]")
_HEADING = re.compile(r"(?:(?<=^)|(?<=[.!?] ))((?:Heart|Activity|Sleep|Skin): )([a-z])")


def restore_case(text: str) -> str:
    """Capitalises sentences and abbreviations of a text in lower case; any other text is returned unchanged.

    Args:
        text: A generated caption; the tokenizers of this package write lower case.

    Example:
        >>> restore_case("a calm day. heart: rr median averaged 812.0.")
        'A calm day. Heart: RR median averaged 812.0.'
    """
    if text != text.lower():
        return text
    text = _SENTENCE_START.sub(lambda match: match[0].upper(), text)
    text = _HEADING.sub(lambda match: match[1] + match[2].upper(), text)
    return _WORD.sub(lambda match: _CASED[match[0].lower()], text)


class SensorCaptioningPipeline(SensorPipeline):
    """Generates a caption for each day of wearable data.

    Requires a model with a decoder, trained with objective `coca` or `cap`.

    Example:
        ```python
        import sensorlm_hf
        from transformers import pipeline

        describe = pipeline("sensor-captioning")
        describe(day, max_new_tokens=60)
        # [{"generated_text": "A calm day with forty minutes of running in the evening and seven hours of sleep. ..."}]
        ```

    See [`SensorPipeline`] for inputs, outputs and constructor arguments.
    """

    _needs_tokenizer = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.model.config.is_generative:
            raise ValueError(
                f"The model was trained with objective {self.model.config.objective!r} and has no text decoder; use one"
                " trained with objective 'cap' or 'coca'."
            )
        if not self.model.can_generate():
            raise ValueError(
                f"A {type(self.model).__name__} has no text decoder. Give the name of the model, or load it with"
                " `SensorLMForConditionalGeneration.from_pretrained`."
            )

    def __call__(self, inputs: Any, prompt: str | None = None, **kwargs: Any) -> Any:
        """Generates captions for one or more days.

        Args:
            inputs: One or more days, see [`SensorPipeline`].
            prompt: Beginning of every caption, which the model continues.
            kwargs: Options, which may also be passed to the constructor:

                - `max_new_tokens`, `min_new_tokens` (`int`): length limits; defaults come from the model's generation
                  config.
                - `num_beams` (`int`), `do_sample` (`bool`), `num_return_sequences` (`int`): decoding strategy. Sampling
                  uses torch's generator: call `transformers.set_seed` for reproducible text.
                - `restore_case` (`bool`): whether to capitalise sentences and abbreviations of models that write lower
                  case, see [`restore_case`]; defaults to True.
                - `generate_kwargs` (`dict`): any other option of `generate`, such as `{"top_p": 0.9}`.
                - `batch_size`, `num_workers`, `timezone`, `columns`, `allow_empty`: see [`SensorPipeline`].

        Returns:
            For each day, a list of `{"generated_text"}`, one per returned sequence; texts begin with the prompt and
            contain no special tokens.

        Raises:
            ValueError: If the prompt is empty or leaves no room for text, if an option is given twice or rejected by
                `generate`, or if a day is malformed.
            TypeError: If the prompt is not a string, or `restore_case` not a bool.
        """
        if prompt is not None:
            kwargs["prompt"] = prompt
        return super().__call__(inputs, **kwargs)

    def _sanitize_parameters(
        self,
        prompt: str | None = None,
        max_new_tokens: int | None = None,
        min_new_tokens: int | None = None,
        num_beams: int | None = None,
        do_sample: bool | None = None,
        num_return_sequences: int | None = None,
        generate_kwargs: Mapping[str, Any] | None = None,
        restore_case: bool | None = None,
        timezone: str | None = None,
        columns: Sequence[str] | None = None,
        allow_empty: bool | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        named = {
            "max_new_tokens": max_new_tokens,
            "min_new_tokens": min_new_tokens,
            "num_beams": num_beams,
            "num_return_sequences": num_return_sequences,
            "do_sample": do_sample,
        }
        options = {name: value for name, value in named.items() if value is not None}
        for name, value in options.items():
            if name != "do_sample" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"`{name}` must be an integer of at least 1, got {value!r}.")
        if generate_kwargs is not None:
            if not isinstance(generate_kwargs, Mapping):
                raise TypeError(f"`generate_kwargs` must be a dict of options, got {type(generate_kwargs).__name__}.")
            twice = sorted(set(generate_kwargs) & set(options))
            if twice:
                raise ValueError(f"{', '.join(twice)} given both by name and in `generate_kwargs`; give it once.")
            reserved = sorted(set(generate_kwargs) & {"sensor_values", "sensor_mask", "input_ids", "attention_mask"})
            if reserved:
                raise ValueError(f"`generate_kwargs` must not contain {', '.join(reserved)}: the pipeline sets them.")
            options.update(generate_kwargs)
        forward_params: dict[str, Any] = {}
        if options:
            forward_params["options"] = options
        if prompt is not None:
            if not isinstance(prompt, str):
                raise TypeError(f"`prompt` must be one string for all days, got {type(prompt).__name__}.")
            if not prompt.strip():
                raise ValueError("`prompt` is empty; omit it, or give the first words of the caption.")
            forward_params["prompt"] = prompt
        postprocess_params: dict[str, Any] = {}
        if restore_case is not None:
            if not isinstance(restore_case, bool):
                raise TypeError(f"`restore_case` must be True or False, got {restore_case!r}.")
            postprocess_params["restores_case"] = restore_case
        return self._day_parameters(timezone, columns, allow_empty), forward_params, postprocess_params

    def _prepare(
        self, forward_params: dict[str, Any], postprocess_params: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        prepared: dict[str, Any] = {"options": forward_params.get("options", {})}
        if "prompt" in forward_params:
            # A trailing space would become a separate token, which never occurs in training captions.
            texts = self.tokenizer(
                forward_params["prompt"].rstrip(), truncation=False, verbose=False, return_tensors="pt"
            )
            prepared["prompt_ids"] = texts["input_ids"]
        return prepared, postprocess_params

    def _forward(
        self,
        model_inputs: dict[str, torch.Tensor],
        options: Mapping[str, Any] | None = None,
        prompt_ids: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        if prompt_ids is not None:
            prompt_ids = prompt_ids.to(self.device)
        output = self.model.generate(**model_inputs, input_ids=prompt_ids, **(options or {}))
        tokens = getattr(output, "sequences", output)
        return {"tokens": tokens.view(len(model_inputs["sensor_values"]), -1, tokens.shape[-1])}

    def postprocess(self, model_outputs: dict[str, torch.Tensor], restores_case: bool = True) -> list[dict[str, str]]:
        """Returns the texts of one day."""
        texts = self.tokenizer.batch_decode(model_outputs["tokens"][0], skip_special_tokens=True)
        texts = [text.strip() for text in texts]
        return [{"generated_text": restore_case(text) if restores_case else text} for text in texts]

"""Zero-shot classification of days: scores arbitrary text labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .sensor_pipeline_base import SensorPipeline
from .sensor_timeline import TIMELINE_STEP, TIMELINE_WINDOW, check_window, masked_windows

DEFAULT_TEMPLATE = "A day with {}."
"""Default hypothesis template."""

TEXTS_AT_ONCE = 64
"""Prompts encoded per batch, which bounds the memory for many labels."""


class ZeroShotSensorClassificationPipeline(SensorPipeline):
    """Scores text labels for days of wearable data, without training a classifier.

    Each label is inserted into one or more sentences, the sentences are embedded once per call, and days are compared
    with them. With several templates, the embedding of a phrase is the renormalised mean of its sentences (a prompt
    ensemble, as in Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision"). A
    label with several phrases, which may be as different as the sports that count as cardio, is as probable as its
    phrases are on average: its similarity is the logarithm of their mean exponential, at the temperature of the model.

    The meaning of a score depends on the training objective and on `multi_label`. By default the scores of a day sum to
    1; with `multi_label=True` the score of a label does not depend on the other labels:

    | objective | `multi_label=False` | `multi_label=True` |
    |---|---|---|
    | clip, coca | softmax of the scaled cosine similarities | `(1 + cosine) / 2` |
    | siglip | softmax of the scaled cosine similarities | sigmoid of scaled cosine plus bias, as trained |
    | coca with a sentence encoder | softmax of the scaled cosine similarities | as siglip, with own scale and bias |
    | cap | softmax of the mean log-likelihoods per token | geometric mean of the token probabilities |

    Only the sigmoid is trained to be the probability of an individual label, and only models that have it can answer
    that no label applies (`none_label`); the other independent scores rank days and labels, but 0.5 is not a meaningful
    threshold. For cap models, which have no text embedding, the decoder
    scores every sentence for every day, the log-likelihoods of all sentences of a label are averaged, and softmax
    scores are close together: use them for ranking only.

    Example:
        ```python
        import sensorlm_hf
        from transformers import pipeline

        classify = pipeline("zero-shot-sensor-classification")
        classify(day, candidate_labels=["running", "swimming", "a quiet day"], top_k=1)
        # [{"label": "running", "score": 0.93}]
        ```

    With `return_timeline=True`, a day is also scored in windows of one hour, every ten minutes, with everything else
    masked, which shows when the labels apply. `sensorlm_hf.plotting.plot_timeline` plots the result. For a model that
    skips masked patches, like the demo model, this takes a fraction of the time of 144 full days.

    See [`SensorPipeline`] for inputs, outputs and constructor arguments.
    """

    _needs_tokenizer = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.model.config.objective == "cap" and not self.model.can_generate():
            # Labels are scored as captions, which requires the decoder that `AutoModel` does not load.
            self.model = self._load_decoder()

    def __call__(self, inputs: Any, candidate_labels: Any = None, **kwargs: Any) -> Any:
        """Scores labels for one or more days.

        Args:
            inputs: One or more days, see [`SensorPipeline`].
            candidate_labels: Labels: a list, a comma-separated string, or a mapping from each label to a phrase, or
                list of phrases, to use for it in the sentences.
            kwargs: Options, which may also be passed to the constructor:

                - `hypothesis_template` (`str` or list of `str`): sentence with the placeholder `{}` for the label, or
                  several of them; defaults to `"A day with {}."`. Use `"{}"` if the labels are sentences.
                - `multi_label` (`bool`): whether labels are scored independently; defaults to False.
                - `none_label` (`str`): name of an additional result, such as `"none of these"`, for days that no label
                  describes. It scores higher than a label whose own probability is below 0.5. By default there is none.
                - `top_k` (`int`): number of labels to return, best first; defaults to all.
                - `return_timeline` (`bool`): whether to also score the labels over the day; defaults to False.
                - `timeline_window` (`int`): width of the timeline's windows in minutes; defaults to 60.
                - `batch_size`, `num_workers`, `timezone`, `columns`, `allow_empty`: see [`SensorPipeline`].

        Returns:
            For each day, a list of `{"label", "score"}`, highest score first; ties keep the order of the labels.
            With `return_timeline=True`, a dictionary: `scores` is that list, and `timeline` a list of `{"start_minute",
            "end_minute", "scores"}` for each ten minutes of the window, where `scores` maps every label to its score
            in the window around these minutes, or is None where that window has nothing observed.

        Raises:
            ValueError: If there are no labels, or they are empty or repeated, if a template lacks `{}`, if a sentence
                is longer than the model reads, if `none_label` is one of the labels or the model gives no
                probabilities, if `top_k` is below 1, if `timeline_window` is below 10, or if a day is
                malformed.
            TypeError: If labels or templates are not strings, or a flag is not a bool.
        """
        if candidate_labels is not None:
            kwargs["candidate_labels"] = candidate_labels
        return super().__call__(inputs, **kwargs)

    def _sanitize_parameters(
        self,
        candidate_labels: Any = None,
        hypothesis_template: Any = None,
        multi_label: bool | None = None,
        none_label: str | None = None,
        top_k: int | None = None,
        return_timeline: bool | None = None,
        timeline_window: int | None = None,
        timezone: str | None = None,
        columns: Sequence[str] | None = None,
        allow_empty: bool | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        forward_params: dict[str, Any] = {}
        if candidate_labels is not None:
            forward_params["phrases"] = _phrases(candidate_labels)
        if hypothesis_template is not None:
            forward_params["templates"] = _templates(hypothesis_template)
        if multi_label is not None:
            if not isinstance(multi_label, bool):
                raise TypeError(f"`multi_label` must be True or False, got {multi_label!r}.")
            forward_params["multi_label"] = multi_label
        if none_label is not None:
            _check_text(none_label, "`none_label`")
            forward_params["none_label"] = none_label
        if return_timeline is not None:
            if not isinstance(return_timeline, bool):
                raise TypeError(f"`return_timeline` must be True or False, got {return_timeline!r}.")
            forward_params["return_timeline"] = return_timeline
        if timeline_window is not None:
            forward_params["timeline_window"] = check_window(timeline_window)
        postprocess_params: dict[str, Any] = {}
        if top_k is not None:
            if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1:
                raise ValueError(f"`top_k` must be an integer of at least 1, or None for all labels; got {top_k!r}.")
            postprocess_params["top_k"] = top_k
        return self._day_parameters(timezone, columns, allow_empty), forward_params, postprocess_params

    def _prepare(
        self, forward_params: dict[str, Any], postprocess_params: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        phrases = forward_params.get("phrases")
        if phrases is None:
            raise ValueError("Give `candidate_labels`: the labels to choose from, such as ['running', 'a quiet day'].")
        templates = forward_params.get("templates", [DEFAULT_TEMPLATE])
        prompts = [
            [template.replace("{}", phrase) for phrase in of_label for template in templates]
            for of_label in phrases.values()
        ]
        none_label = forward_params.get("none_label")
        if none_label is not None:
            self._check_none_label(none_label, phrases)
        texts = self._tokenize([prompt for of_label in prompts for prompt in of_label])
        sizes = [len(of_label) for of_label in prompts]
        label_embeds = None
        if self.model.config.objective != "cap":
            label_embeds = self._embed(texts, len(templates))
            sizes = [len(of_label) for of_label in phrases.values()]
        given = forward_params
        forward_params = {
            "texts": texts,
            "sizes": sizes,
            "label_embeds": label_embeds,
            "multi_label": given.get("multi_label", False),
            "with_none": none_label is not None,
            "timeline_window": (
                forward_params.get("timeline_window", TIMELINE_WINDOW)
                if forward_params.get("return_timeline")
                else None
            ),
        }
        labels = [*phrases, *([] if none_label is None else [none_label])]
        return forward_params, {**postprocess_params, "labels": labels}

    def _check_none_label(self, none_label: str, phrases: Mapping[str, Any]) -> None:
        if none_label in phrases:
            raise ValueError(f"`none_label` {none_label!r} is also one of the `candidate_labels`; rename one of them.")
        config = self.model.config
        if config.objective != "siglip" and not config.text_config.has_sentence_encoder:
            raise ValueError(
                f"`none_label` needs the probability of each label, which a {config.objective} model without a sentence"
                " encoder does not give. Leave it out, or use the packaged model or a siglip model."
            )

    def _tokenize(self, prompts: list[str]) -> dict[str, torch.Tensor]:
        """Returns `input_ids` and `attention_mask` of shape `(prompts, tokens)`, without truncation."""
        texts = self.tokenizer(prompts, padding=True, truncation=False, verbose=False, return_tensors="pt")
        texts = {key: texts[key] for key in ("input_ids", "attention_mask")}
        room = self.model.config.text_config.max_position_embeddings
        lengths = texts["attention_mask"].sum(dim=1)
        if int(lengths.max()) > room:
            longest = int(lengths.argmax())
            shown = prompts[longest] if len(prompts[longest]) <= 120 else prompts[longest][:119] + "\u2026"
            raise ValueError(
                f"The sentence {shown!r} has {int(lengths[longest])} tokens, but the model reads at most"
                f" {room}; shorten the label or the template."
            )
        return texts

    def _embed(self, texts: dict[str, torch.Tensor], templates: int) -> torch.Tensor:
        """Returns one unit-norm vector per phrase, `(phrases, D)` float32: the mean over its sentences."""
        embeds = []
        for first in range(0, len(texts["input_ids"]), TEXTS_AT_ONCE):
            some = {key: value[first : first + TEXTS_AT_ONCE] for key, value in texts.items()}
            embeds.append(self.forward(some, of="text")["embeds"])
        means = torch.cat(embeds).unflatten(0, (-1, templates)).mean(dim=1)
        return torch.nn.functional.normalize(means, dim=-1)

    def _forward(
        self,
        model_inputs: dict[str, torch.Tensor],
        of: str = "sensor",
        texts: dict[str, torch.Tensor] | None = None,
        sizes: Sequence[int] = (),
        label_embeds: torch.Tensor | None = None,
        multi_label: bool = False,
        with_none: bool = False,
        timeline_window: int | None = None,
    ) -> dict[str, torch.Tensor]:
        if of == "text":
            embeds = self.model.get_text_features(**model_inputs).pooler_output
            return {"embeds": torch.nn.functional.normalize(embeds.float(), dim=-1)}
        options = (texts, sizes, label_embeds, multi_label, with_none)
        outputs = {"scores": self._scores(model_inputs, *options)}
        if timeline_window is not None:
            minutes = model_inputs["sensor_values"].shape[1]
            steps = -(-minutes // TIMELINE_STEP)
            # Steps that stay NaN were not observed.
            timeline = outputs["scores"].new_full(
                (len(outputs["scores"]), steps, outputs["scores"].shape[1]), torch.nan
            )
            for day in range(len(timeline)):
                one = {key: value[day : day + 1] for key, value in model_inputs.items()}
                for some, windows in masked_windows(one, timeline_window):
                    timeline[day, some] = self._scores(windows, *options)
            outputs["timeline"] = timeline
            outputs["minutes"] = torch.full((len(timeline),), minutes)
        return outputs

    def _scores(
        self,
        model_inputs: dict[str, torch.Tensor],
        texts: dict[str, torch.Tensor] | None,
        sizes: Sequence[int],
        label_embeds: torch.Tensor | None,
        multi_label: bool,
        with_none: bool,
    ) -> torch.Tensor:
        """Returns the score of every label for every window of a batch, `(B, labels)` float32.

        `with_none` appends the score of no label.
        """
        if label_embeds is None:
            texts = self._ensure_tensor_on_device(texts, self.device)
            likelihoods = self.model.score_text(**model_inputs, **texts).float().split(list(sizes), dim=1)
            means = torch.stack([of_label.mean(dim=1) for of_label in likelihoods], dim=1)
            return means.exp() if multi_label else means.softmax(dim=-1)
        label_embeds = label_embeds.to(self.device)
        embeds = torch.nn.functional.normalize(
            self.model.get_sensor_features(**model_inputs).pooler_output.float(), dim=-1
        )
        # Not `base_model`, which has another meaning for models wrapped by PEFT.
        contrastive = getattr(self.model, "sensorlm", self.model)
        similarity = _of_labels(embeds @ label_embeds.T, sizes, contrastive.temperature())
        labels = torch.eye(len(sizes), device=similarity.device)  # the model scales similarities to these as they are
        odds = contrastive.statement_logits(similarity, labels)
        if multi_label:
            if odds is None:
                return (1 + similarity).clamp(0, 2) / 2
            scores = odds.sigmoid()
            # As if the labels were independent.
            return torch.cat([scores, (-odds).sigmoid().prod(dim=-1, keepdim=True)], dim=-1) if with_none else scores
        if with_none:
            # The log-odds of a label that is as likely true as false are 0.
            return torch.nn.functional.pad(odds, (0, 1)).softmax(dim=-1)
        return contrastive.similarity_logits(similarity, labels).softmax(dim=-1)

    def postprocess(
        self, model_outputs: dict[str, torch.Tensor], labels: Sequence[str] = (), top_k: int | None = None
    ) -> list[dict[str, Any]] | dict[str, Any]:
        """Returns `{"label", "score"}` of one day, highest score first, and its timeline if requested."""
        scores = model_outputs["scores"][0].tolist()
        ranked = sorted(zip(labels, scores, strict=True), key=lambda pair: -pair[1])
        best = [{"label": label, "score": score} for label, score in ranked[:top_k]]
        if "timeline" not in model_outputs:
            return best
        minutes = int(model_outputs["minutes"][0])
        timeline = [
            {
                "start_minute": TIMELINE_STEP * step,
                "end_minute": min(TIMELINE_STEP * (step + 1), minutes),
                "scores": None if row[0] != row[0] else dict(zip(labels, row, strict=True)),
            }
            for step, row in enumerate(model_outputs["timeline"][0].tolist())
        ]
        return {"scores": best, "timeline": timeline}


def _of_labels(similarity: torch.Tensor, sizes: Sequence[int], temperature: torch.Tensor) -> torch.Tensor:
    """Returns the similarity of labels, `(B, labels)`, from that of their phrases, `(B, phrases)`."""
    if all(size == 1 for size in sizes):
        return similarity
    parts = (temperature * similarity).split(list(sizes), dim=-1)
    joined = [part.logsumexp(dim=-1) - math.log(part.shape[-1]) for part in parts]
    return torch.stack(joined, dim=-1) / temperature


def _phrases(labels: Any) -> dict[str, list[str]]:
    """Returns `{label: phrases}` in the given order."""
    if isinstance(labels, str):
        labels = [label.strip() for label in labels.split(",")]
    if isinstance(labels, Mapping):
        pairs = [(label, [given] if isinstance(given, str) else given) for label, given in labels.items()]
    elif isinstance(labels, Sequence) and not isinstance(labels, (bytes, bytearray)):
        pairs = [(label, [label]) for label in labels]
    else:
        raise TypeError(
            "`candidate_labels` must be a list of strings, one string with commas, or a mapping from labels to phrases;"
            f" got {type(labels).__name__}."
        )
    if not pairs:
        raise ValueError("`candidate_labels` is empty; give at least one label.")
    seen: dict[str, int] = {}
    for position, (label, phrases) in enumerate(pairs):
        where = f"candidate_labels[{position}]"
        _check_text(label, where)
        key = " ".join(label.split()).casefold()
        if key in seen:
            raise ValueError(
                f"{where} {label!r} repeats candidate_labels[{seen[key]}]; labels must differ by more than case and"
                " spaces, or they share one score."
            )
        seen[key] = position
        if not isinstance(phrases, (list, tuple)) or not phrases:
            raise ValueError(f"{where} {label!r} must map to a phrase or a non-empty list of phrases, got {phrases!r}.")
        for phrase in phrases:
            _check_text(phrase, f"a phrase of {where} {label!r}")
    return {label: list(phrases) for label, phrases in pairs}


def _templates(given: Any) -> list[str]:
    templates = [given] if isinstance(given, str) else given
    if not isinstance(templates, (list, tuple)):
        raise TypeError(f"`hypothesis_template` must be a string or a list of strings, got {type(given).__name__}.")
    if not templates:
        raise ValueError(
            '`hypothesis_template` is an empty list; give at least one sentence, such as "A day with {}.".'
        )
    for position, template in enumerate(templates):
        _check_text(template, f"hypothesis_template[{position}]")
        if "{}" not in template:
            raise ValueError(
                f"hypothesis_template[{position}] {template!r} lacks the placeholder {{}}; without it, all"
                " labels would have the same sentence."
            )
    return list(templates)


def _check_text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{where} must be a string, got {type(value).__name__}.")
    if not value.strip():
        raise ValueError(f"{where} is empty; give it some text.")

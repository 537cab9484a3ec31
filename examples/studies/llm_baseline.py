"""Language-model baseline: the day as text, prompted or fine-tuned with LoRA, scored by label likelihood.

Corresponds to Gemma 3, Gemini and fine-tuned Gemini in the paper, with any causal language model of transformers.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from huggingface_hub.utils import tqdm
from scipy.special import softmax
from transformers import Trainer, TrainingArguments

from sensorlm_hf._extras import requires_extra
from sensorlm_hf.days import SensorDay
from sensorlm_hf.metrics import score_classifier

TEXT_CHANNELS = (
    "HR",
    "steps",
    "rmssd_percentile_0595",
    "log_energy",
    "eda_level_real",
    "wrist_temperatures",
    "altim_std",
)
"""Channels included by default, if they are in the schema of the day."""

INSTRUCTION = "Below are hourly averages of a person's wearable device over one day."
"""First line of the prompt."""


def day_as_text(day: SensorDay, *, channels: Sequence[str] | None = None, minutes: int = 60, decimals: int = 1) -> str:
    """Formats a day as a table of averages.

    Args:
        day: The day.
        channels: Keys of the channels; defaults to the observed channels in [`TEXT_CHANNELS`].
        minutes: Minutes per row.
        decimals: Number of decimals.

    Returns:
        A header with labels and units, followed by one line per interval with its start time and the means of the
        observed values, or `-` if there are none.

    Raises:
        ValueError: If a channel is unknown or `minutes` is below 1.
    """
    if minutes < 1:
        raise ValueError(f"`minutes` must be at least 1, got {minutes}.")
    if channels is None:
        channels = [key for key in TEXT_CHANNELS if key in day.schema and np.isfinite(day.channel(key)).any()]
    unknown = [key for key in channels if key not in day.schema]
    if unknown:
        raise ValueError(f"Unknown channels {', '.join(unknown)}; the day has {', '.join(day.schema.keys)}.")
    head = ", ".join(["time", *(f"{day.schema[key].label} ({day.schema[key].unit})" for key in channels)])
    lines = [head]
    columns = [day.schema.index(key) for key in channels]
    for start in range(0, len(day), minutes):
        part = day.values[start : start + minutes, columns]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # nothing observed
            means = np.nanmean(part, axis=0)
        cells = ["-" if np.isnan(mean) else f"{mean:.{decimals}f}" for mean in means]
        lines.append(", ".join([f"{day.clock(start):%H:%M}", *cells]))
    return "\n".join(lines)


def prompt_of(day: SensorDay, class_names: Sequence[str], **options: Any) -> str:
    """Returns the prompt of a day: its text, the classes and the question.

    Args:
        day: The day.
        class_names: Names of the classes.
        options: See [`day_as_text`].
    """
    choices = ", ".join(class_names)
    return f"{INSTRUCTION}\n\n{day_as_text(day, **options)}\n\nOne of these describes the day: {choices}.\nAnswer:"


@torch.inference_mode()
def label_likelihoods(
    model: Any, tokenizer: Any, prompts: Sequence[str], labels: Sequence[str], *, progress: bool = False
) -> np.ndarray:
    """Returns the log-likelihood of each label after each prompt.

    Each prompt is processed once; the labels reuse its key-value cache.

    Args:
        model: A causal language model, in evaluation mode.
        tokenizer: Its tokenizer.
        prompts: Prompts.
        labels: Labels; a space is prepended to each.
        progress: Whether to show a progress bar.

    Returns:
        `(prompts, labels)`: mean log-likelihood over the tokens of a label, so that long names are not penalized.

    Raises:
        ValueError: If a prompt with its labels exceeds the maximum length of the model; prompts are not truncated,
            since that would remove part of the day.
    """
    answers = [tokenizer(f" {label}", add_special_tokens=False)["input_ids"] for label in labels]
    longest = max(map(len, answers))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    ids = torch.full((len(labels), longest), pad)
    counted = torch.zeros(len(labels), longest, dtype=torch.bool)
    for row, answer in enumerate(answers):
        ids[row, : len(answer)] = torch.tensor(answer)
        counted[row, : len(answer)] = True
    ids, counted = ids.to(model.device), counted.to(model.device)
    room = getattr(model.config, "max_position_embeddings", None)
    rows = []
    for position, prompt in enumerate(tqdm(prompts, desc="Scoring labels", disable=not progress)):
        start = tokenizer(prompt, return_tensors="pt")["input_ids"].to(model.device)
        if room is not None and start.shape[1] + longest > room:
            raise ValueError(
                f"prompts[{position}] and its labels have {start.shape[1] + longest} tokens, but the model supports at"
                f" most {room}; choose fewer channels or longer intervals (`channels`, `minutes`)."
            )
        read = model(start, use_cache=True)
        cache = read.past_key_values
        cache.batch_repeat_interleave(len(labels))
        mask = torch.cat([torch.ones(len(labels), start.shape[1], device=model.device).long(), counted.long()], dim=1)
        after = model(ids, past_key_values=cache, attention_mask=mask, use_cache=True).logits
        logits = torch.cat([read.logits[:, -1:].expand(len(labels), -1, -1), after[:, :-1]], dim=1)
        tokens = logits.float().log_softmax(dim=-1).gather(2, ids[:, :, None])[..., 0]
        rows.append(((tokens * counted).sum(dim=1) / counted.sum(dim=1)).cpu().numpy())
    return np.stack(rows)


def evaluate_llm(
    model: Any,
    tokenizer: Any,
    days: Sequence[SensorDay],
    task: Any,
    *,
    calibrate: bool = True,
    progress: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Classifies days as text with a language model.

    Args:
        model: A causal language model, in evaluation mode, with or without LoRA adapters.
        tokenizer: Its tokenizer.
        days: Days; those without a label for the task are skipped.
        task: A [`Task`] or [`ProbeTask`].
        calibrate: Whether to subtract the log-likelihood of a label without a day, since common words are likely after
            any prompt (Holtzman et al., "Surface Form Competition", EMNLP 2021).
        progress: Whether to show a progress bar.
        options: See [`day_as_text`].

    Returns:
        Result of [`score_classifier`], and `days`.

    Raises:
        ValueError: If no day has a label for the task, or a prompt is too long for the model.
    """
    used = [day for day in days if task.class_of(day) is not None]
    if not used:
        raise ValueError(f"None of the {len(days)} days has a class of task {task.name!r}.")
    names = list(task.class_names)
    prompts = [prompt_of(day, names, **options) for day in used]
    likelihoods = label_likelihoods(model, tokenizer, prompts, names, progress=progress)
    if calibrate:
        bare = f"{INSTRUCTION}\n\nOne of these describes the day: {', '.join(names)}.\nAnswer:"
        likelihoods = likelihoods - label_likelihoods(model, tokenizer, [bare], names)
    references = np.array([task.class_of(day) for day in used])
    scores = softmax(likelihoods, axis=1)
    return {**score_classifier(references, scores, [day.subject_id for day in used], names), "days": len(used)}


def fine_tune_llm(
    model: Any,
    tokenizer: Any,
    days: Sequence[SensorDay],
    task: Any,
    arguments: TrainingArguments,
    *,
    rank: int = 8,
    target_modules: str | list[str] = "all-linear",
    **options: Any,
) -> Any:
    """Fine-tunes a language model with LoRA to answer with the class of a day.

    The loss is computed on the answer tokens only.

    Args:
        model: A causal language model; its weights are frozen.
        tokenizer: Its tokenizer.
        days: Training days; those without a label for the task are skipped.
        task: A [`Task`] or [`ProbeTask`].
        arguments: Trainer arguments.
        rank: Rank of the adapters.
        target_modules: Layers that get adapters.
        options: See [`day_as_text`].

    Returns:
        A `peft.PeftModel` in evaluation mode.

    Raises:
        ValueError: If no day has a label for the task.
    """
    with requires_extra("train", "Fine-tuning a language model"):
        from peft import LoraConfig, get_peft_model

    used = [day for day in days if task.class_of(day) is not None]
    if not used:
        raise ValueError(f"None of the {len(days)} days has a class of task {task.name!r}.")
    names = list(task.class_names)
    examples = []
    for day in used:
        prompt = tokenizer(prompt_of(day, names, **options))["input_ids"]
        answer = tokenizer(f" {names[task.class_of(day)]}", add_special_tokens=False)["input_ids"]
        examples.append({"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer})
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0

    def collate(items: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        width = max(len(item["input_ids"]) for item in items)
        rows = {"input_ids": pad, "labels": -100}
        batch = {
            key: torch.tensor([item[key] + [fill] * (width - len(item[key])) for item in items])
            for key, fill in rows.items()
        }
        batch["attention_mask"] = torch.tensor(
            [[1] * len(item["input_ids"]) + [0] * (width - len(item["input_ids"])) for item in items]
        )
        return batch

    adapters = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=target_modules, task_type="CAUSAL_LM")
    adapted = get_peft_model(copy.deepcopy(model), adapters)
    arguments.remove_unused_columns = False
    Trainer(model=adapted, args=arguments, train_dataset=examples, data_collator=collate).train()
    return adapted.eval()

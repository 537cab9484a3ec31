"""Arguments of a pretraining run."""

from dataclasses import dataclass, field
from importlib.util import find_spec

import torch
from transformers import TrainingArguments

from .distributed import EXCHANGES
from .muon import check_torch

SCHEDULES = ("rsqrt", "transformers")


@dataclass
class SensorLMTrainingArguments(TrainingArguments):
    """`transformers.TrainingArguments` with the recipe of the SensorLM release as defaults.

    AdamW with beta2 0.999, peak learning rate 5e-4, decoupled weight decay 1e-4 on weight matrices only, gradient
    clipping at 1.0, a reciprocal square root schedule (timescale 10,000) with 20 % warm-up and 20 % linear cool-down,
    and bf16 on GPUs that support it.

    Attributes:
        bf16: Whether to use bfloat16 mixed precision; by default if the GPU supports it natively.
        report_to: Integrations to log to; by default TensorBoard if it is installed.
        muon_learning_rate: Peak learning rate of Muon for the matrices inside the towers, on AdamW's scale; all other
            parameters are trained by AdamW at `learning_rate`. By default AdamW trains everything. See
            [`MuonWithAdamW`].
        language_model_learning_rate: Peak learning rate of AdamW for the weights of a pretrained language model inside
            the text tower or the decoder; by default `learning_rate`.
        schedule: `"rsqrt"` for the schedule of the release, `"transformers"` for `lr_scheduler_type`.
        schedule_timescale: Step at which the decay of `"rsqrt"` begins.
        cooldown_ratio: Fraction of the steps in the final cool-down of `"rsqrt"`.
        spread_people: Whether to keep days of the same person in different batches.
        contrastive_mini_batch_size: Days per forward pass, with the loss of the full batch (gradient caching); see
            [`cached_backward`]. By default the full batch.
        loss_exchange: How processes exchange embeddings: `"gather"`, or `"ring"` (sigmoid loss only), whose memory does
            not grow with the number of processes.
        loss_chunk_size: Number of days whose similarities are computed at once; by default all days of a process.
        max_hours: Time limit in hours, after which a run saves a checkpoint and stops.
    """

    learning_rate: float = field(default=5e-4, metadata={"help": "Peak learning rate."})
    weight_decay: float = field(default=1e-4, metadata={"help": "Decoupled weight decay of weight matrices."})
    adam_beta2: float = field(default=0.999, metadata={"help": "Decay rate of Adam's second moment."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Maximum gradient norm for clipping."})
    muon_learning_rate: float | None = field(
        default=None,
        metadata={"help": "Peak learning rate of Muon for the matrices inside the towers; default: AdamW."},
    )
    language_model_learning_rate: float | None = field(
        default=None, metadata={"help": "Peak learning rate of a pretrained language model; default: learning_rate."}
    )
    warmup_steps: float = field(default=0.2, metadata={"help": "Warm-up, as a number of steps or a fraction below 1."})
    schedule: str = field(default="rsqrt", metadata={"help": f"One of {', '.join(SCHEDULES)}."})
    schedule_timescale: float = field(default=10_000.0, metadata={"help": "Step at which the rsqrt decay begins."})
    cooldown_ratio: float = field(default=0.2, metadata={"help": "Fraction of the steps in the rsqrt cool-down."})
    spread_people: bool = field(default=True, metadata={"help": "Keep days of the same person in different batches."})
    contrastive_mini_batch_size: int | None = field(
        default=None, metadata={"help": "Days per forward pass (gradient caching)."}
    )
    loss_exchange: str = field(
        default="gather", metadata={"help": f"How processes exchange embeddings: {', '.join(EXCHANGES)}."}
    )
    loss_chunk_size: int | None = field(
        default=None, metadata={"help": "Days whose similarities are computed at once."}
    )
    max_hours: float | None = field(default=None, metadata={"help": "Save and stop after this many hours."})
    # Of type `bool`, so that `--bf16` works as a flag; `__post_init__` replaces None.
    bf16: bool = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Use bfloat16 mixed precision; by default if the GPU supports it."}
    )
    report_to: None | str | list[str] = field(  # noqa: RUF036 - HfArgumentParser requires this order
        default=None, metadata={"help": "Where to log: tensorboard (default, if installed), trackio, wandb, none, ..."}
    )
    dataloader_pin_memory: bool = field(
        default=torch.accelerator.is_available(),
        metadata={"help": "Pin the memory of batches; by default if there is an accelerator."},
    )
    # Every objective uses all of its parameters; searching for unused ones costs a graph traversal per step.
    ddp_find_unused_parameters: bool | None = field(
        default=False, metadata={"help": "Whether DDP searches for unused parameters in each step."}
    )
    label_names: list[str] | None = field(
        default_factory=list,
        # With label names, `Trainer` would not compute an evaluation loss for batches without labels.
        metadata={"help": "Names of label columns; empty, since the loss is computed from sensor-text pairs."},
    )
    remove_unused_columns: bool = field(
        default=False, metadata={"help": "Must be False: items are SensorDay objects, not columns."}
    )

    def __post_init__(self) -> None:
        if self.bf16 is None:
            self.bf16 = not self.fp16 and not self.use_cpu and has_bfloat16()
        if self.report_to is None:
            self.report_to = "tensorboard" if find_spec("tensorboard") else "none"
        super().__post_init__()
        if self.schedule not in SCHEDULES:
            raise ValueError(f"`schedule` must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}.")
        if self.schedule_timescale <= 0:
            raise ValueError(f"`schedule_timescale` must be above 0, got {self.schedule_timescale}.")
        if not 0 <= self.cooldown_ratio < 1:
            raise ValueError(f"`cooldown_ratio` must be in [0, 1), got {self.cooldown_ratio}.")
        for name in ("contrastive_mini_batch_size", "loss_chunk_size"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"`{name}` must be at least 1, got {size}; leave it unset for the full batch.")
        if self.loss_exchange not in EXCHANGES:
            raise ValueError(f"`loss_exchange` must be one of {', '.join(EXCHANGES)}, got {self.loss_exchange!r}.")
        if self.muon_learning_rate is not None and not self.muon_learning_rate > 0:
            raise ValueError(f"`muon_learning_rate` must be above 0, got {self.muon_learning_rate}.")
        if self.muon_learning_rate is not None:
            check_torch()
        if self.language_model_learning_rate is not None and not self.language_model_learning_rate > 0:
            raise ValueError(
                "`language_model_learning_rate` must be above 0, got"
                f" {self.language_model_learning_rate}. To freeze the language model, use `model.freeze_text()`."
            )
        if self.max_hours is not None and not self.max_hours > 0:
            raise ValueError(f"`max_hours` must be above 0, got {self.max_hours}.")
        if self.remove_unused_columns:
            raise ValueError("`remove_unused_columns` must be False: the collator needs the days, not tensor columns.")


def has_bfloat16() -> bool:
    """Returns whether there is a GPU with native bfloat16 support."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)

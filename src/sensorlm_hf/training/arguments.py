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

    Adam with b2 0.999, peak learning rate 5e-4, decoupled weight decay 1e-4 on weight matrices only, gradient clipping
    at 1.0, reciprocal-square-root schedule (timescale 10,000) with 20 % warm-up and 20 % linear cool-down, bf16 on
    devices that have it.

    Attributes:
        bf16: Whether to compute in bfloat16 with float32 weights; by default where a GPU has it in hardware.
        report_to: Where numbers are logged; by default TensorBoard, if it is installed.
        muon_learning_rate: Peak rate of Muon for the matrices inside the towers, on AdamW's scale; all else, and by
            default everything, is trained by AdamW at `learning_rate`. See [`MuonWithAdamW`].
        schedule: `"rsqrt"` for the release's schedule, `"transformers"` for the one that `lr_scheduler_type` names.
        schedule_timescale: Step from which the `"rsqrt"` rate falls.
        cooldown_ratio: Share of the steps in the final cool-down of `"rsqrt"`.
        spread_people: Whether days of one person are kept apart in a batch.
        contrastive_mini_batch_size: Days that pass through the model at once, with the loss of the whole batch; see
            [`cached_backward`]. By default the whole batch.
        loss_exchange: How embeddings travel between processes: `"gather"`, or `"ring"` (sigmoid loss only), whose
            memory does not grow with the number of processes.
        loss_chunk_size: Days whose similarities are held at once; by default those of a process.
        max_hours: Time after which a run saves a checkpoint and stops, hours.
    """

    learning_rate: float = field(default=5e-4, metadata={"help": "Peak learning rate."})
    weight_decay: float = field(default=1e-4, metadata={"help": "Decoupled decay on weight matrices."})
    adam_beta2: float = field(default=0.999, metadata={"help": "Second-moment decay of Adam."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Gradient norm at which gradients are clipped."})
    muon_learning_rate: float | None = field(
        default=None,
        metadata={"help": "Peak learning rate of Muon for the matrices inside the towers; default: AdamW."},
    )
    warmup_steps: float = field(default=0.2, metadata={"help": "Warm-up, as a number of steps or a share below 1."})
    schedule: str = field(default="rsqrt", metadata={"help": f"One of {', '.join(SCHEDULES)}."})
    schedule_timescale: float = field(default=10_000.0, metadata={"help": "Step from which the rsqrt rate falls."})
    cooldown_ratio: float = field(default=0.2, metadata={"help": "Share of the steps in the rsqrt cool-down."})
    spread_people: bool = field(default=True, metadata={"help": "Keep days of one person apart in a batch."})
    contrastive_mini_batch_size: int | None = field(
        default=None, metadata={"help": "Days that pass through the model at once (gradient caching)."}
    )
    loss_exchange: str = field(
        default="gather", metadata={"help": f"How embeddings travel between processes: {', '.join(EXCHANGES)}."}
    )
    loss_chunk_size: int | None = field(default=None, metadata={"help": "Days whose similarities are held at once."})
    max_hours: float | None = field(default=None, metadata={"help": "Save and stop after this time, hours."})
    # Of type `bool`, so that a bare `--bf16` is understood; None until `__post_init__` has looked for a GPU.
    bf16: bool = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Compute in bfloat16; by default where a GPU has it."}
    )
    report_to: None | str | list[str] = field(  # noqa: RUF036 - the order that HfArgumentParser reads
        default=None, metadata={"help": "Where to log: tensorboard (default, if installed), trackio, wandb, none, ..."}
    )
    dataloader_pin_memory: bool = field(
        default=torch.accelerator.is_available(),
        metadata={"help": "Pin the memory of batches; by default where there is a device to copy them to."},
    )
    # Every objective uses all of its parameters; looking for others costs a walk over the graph in each step.
    ddp_find_unused_parameters: bool | None = field(
        default=False, metadata={"help": "Whether DDP looks for parameters that a step does not use."}
    )
    label_names: list[str] | None = field(
        default_factory=list,
        # The loss needs no labels; with any named here, `Trainer` would show no evaluation loss for batches without.
        metadata={"help": "Names of label columns; SensorLM has none, its loss comes from the pairs themselves."},
    )
    remove_unused_columns: bool = field(default=False, metadata={"help": "Days are objects, not columns."})

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
                raise ValueError(f"`{name}` must be at least 1, got {size}; leave it out for the whole batch.")
        if self.loss_exchange not in EXCHANGES:
            raise ValueError(f"`loss_exchange` must be one of {', '.join(EXCHANGES)}, got {self.loss_exchange!r}.")
        if self.muon_learning_rate is not None and not self.muon_learning_rate > 0:
            raise ValueError(f"`muon_learning_rate` must be above 0, got {self.muon_learning_rate}.")
        if self.muon_learning_rate is not None:
            check_torch()
        if self.max_hours is not None and not self.max_hours > 0:
            raise ValueError(f"`max_hours` must be above 0, got {self.max_hours}.")
        if self.remove_unused_columns:
            raise ValueError("`remove_unused_columns` must be False: the collator needs the days, not tensor columns.")


def has_bfloat16() -> bool:
    """Returns whether there is a GPU that computes in bfloat16 itself rather than by emulation."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)

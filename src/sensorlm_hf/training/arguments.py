"""Arguments of a pretraining run."""

from dataclasses import dataclass, field

from transformers import TrainingArguments

SCHEDULES = ("rsqrt", "transformers")


@dataclass
class SensorLMTrainingArguments(TrainingArguments):
    """`transformers.TrainingArguments` with the recipe of the SensorLM release as defaults.

    Adam with b2 0.999, peak learning rate 5e-4, decoupled weight decay 1e-4 on weight matrices only, gradient clipping
    at 1.0, reciprocal-square-root schedule (timescale 10,000) with 20 % warm-up and 20 % linear cool-down.

    Attributes:
        schedule: `"rsqrt"` for the release's schedule, `"transformers"` for the one that `lr_scheduler_type` names.
        schedule_timescale: Step from which the `"rsqrt"` rate falls.
        cooldown_ratio: Share of the steps in the final cool-down of `"rsqrt"`.
        spread_people: Whether days of one person are kept apart in a batch.
    """

    learning_rate: float = field(default=5e-4, metadata={"help": "Peak learning rate."})
    weight_decay: float = field(default=1e-4, metadata={"help": "Decoupled decay on weight matrices."})
    adam_beta2: float = field(default=0.999, metadata={"help": "Second-moment decay of Adam."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Gradient norm at which gradients are clipped."})
    warmup_steps: float = field(default=0.2, metadata={"help": "Warm-up, as a number of steps or a share below 1."})
    schedule: str = field(default="rsqrt", metadata={"help": f"One of {', '.join(SCHEDULES)}."})
    schedule_timescale: float = field(default=10_000.0, metadata={"help": "Step from which the rsqrt rate falls."})
    cooldown_ratio: float = field(default=0.2, metadata={"help": "Share of the steps in the rsqrt cool-down."})
    spread_people: bool = field(default=True, metadata={"help": "Keep days of one person apart in a batch."})
    label_names: list[str] | None = field(
        default_factory=list,
        # The loss needs no labels; with any named here, `Trainer` would show no evaluation loss for batches without.
        metadata={"help": "Names of label columns; SensorLM has none, its loss comes from the pairs themselves."},
    )
    remove_unused_columns: bool = field(default=False, metadata={"help": "Days are objects, not columns."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule not in SCHEDULES:
            raise ValueError(f"`schedule` must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}.")
        if self.schedule_timescale <= 0:
            raise ValueError(f"`schedule_timescale` must be above 0, got {self.schedule_timescale}.")
        if not 0 <= self.cooldown_ratio < 1:
            raise ValueError(f"`cooldown_ratio` must be in [0, 1), got {self.cooldown_ratio}.")
        if self.remove_unused_columns:
            raise ValueError("`remove_unused_columns` must be False: the collator needs the days, not tensor columns.")

"""Pretraining: arguments, sampling, the trainer and a whole run."""

from .arguments import SensorLMTrainingArguments
from .lora import lora_config
from .pretrain import PretrainOptions, pretrain, save_model
from .sampler import PersonSampler
from .schedule import RsqrtSchedule, parameter_groups
from .trainer import SensorLMTrainer

__all__ = [
    "PersonSampler",
    "PretrainOptions",
    "RsqrtSchedule",
    "SensorLMTrainer",
    "SensorLMTrainingArguments",
    "lora_config",
    "parameter_groups",
    "pretrain",
    "save_model",
]

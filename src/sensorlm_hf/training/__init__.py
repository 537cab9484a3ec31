"""Pretraining: arguments, sampling, losses over processes, the trainer and a whole run."""

from .arguments import SensorLMTrainingArguments
from .checkpoints import last_whole_checkpoint, load_checkpoint, put_in_place, save_checkpoint
from .distributed import GlobalLosses, losses_by, ready_for_fsdp2, scalars_again
from .grad_cache import cached_backward
from .lora import lora_config
from .muon import MuonWithAdamW
from .pretrain import PretrainOptions, TrainingParts, model_writer, prepare, pretrain, save_model
from .reading import teach_reading
from .sampler import PersonSampler
from .schedule import RsqrtSchedule, parameter_groups
from .trainer import SensorLMTrainer

__all__ = [
    "GlobalLosses",
    "MuonWithAdamW",
    "PersonSampler",
    "PretrainOptions",
    "RsqrtSchedule",
    "SensorLMTrainer",
    "SensorLMTrainingArguments",
    "TrainingParts",
    "cached_backward",
    "last_whole_checkpoint",
    "load_checkpoint",
    "lora_config",
    "losses_by",
    "model_writer",
    "parameter_groups",
    "prepare",
    "pretrain",
    "put_in_place",
    "ready_for_fsdp2",
    "save_checkpoint",
    "save_model",
    "scalars_again",
    "teach_reading",
]

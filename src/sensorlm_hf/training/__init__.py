"""Pretraining: arguments, sampling, distributed losses, trainer and complete runs."""

from .._extras import requires_extra

with requires_extra("train", "Training"):
    import accelerate  # noqa: F401
    import peft  # noqa: F401

from .arguments import SensorLMTrainingArguments
from .checkpoints import last_complete_checkpoint, load_checkpoint, save_checkpoint
from .decoder_tuning import tune_decoder
from .distributed import GlobalLosses
from .fsdp import prepare_for_fsdp2, restore_scalars
from .grad_cache import cached_backward
from .joint_tuning import tune_jointly
from .lora import lora_config
from .losses import clamp_logit_scale, compute_losses, use_global_losses
from .muon import MuonWithAdamW
from .pretrain import PretrainOptions, TrainingParts, model_writer, prepare, pretrain, save_model
from .sampler import PersonSampler
from .schedule import RsqrtSchedule, parameter_groups
from .sentence_encoder import add_sentence_encoder
from .text_alignment import align_sentence_encoder, calibrate_sentence_encoder
from .text_warmup import warm_up_text_tower
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
    "add_sentence_encoder",
    "align_sentence_encoder",
    "cached_backward",
    "calibrate_sentence_encoder",
    "clamp_logit_scale",
    "compute_losses",
    "last_complete_checkpoint",
    "load_checkpoint",
    "lora_config",
    "model_writer",
    "parameter_groups",
    "prepare",
    "prepare_for_fsdp2",
    "pretrain",
    "restore_scalars",
    "save_checkpoint",
    "save_model",
    "tune_decoder",
    "tune_jointly",
    "use_global_losses",
    "warm_up_text_tower",
]

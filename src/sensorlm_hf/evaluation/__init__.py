"""Evaluation: zero-shot classification, retrieval and captioning on labelled days."""

from .callbacks import ZeroShotCallback
from .captioning import evaluate_captioning
from .encode import caption_days, encode_days, encode_texts
from .model_card import model_card, write_model_card
from .report import evaluate_model, markdown_table, save_results
from .retrieval import evaluate_retrieval
from .tasks import TASKS, Task, get_task
from .zero_shot import class_embeddings, evaluate_zero_shot

__all__ = [
    "TASKS",
    "Task",
    "ZeroShotCallback",
    "caption_days",
    "class_embeddings",
    "encode_days",
    "encode_texts",
    "evaluate_captioning",
    "evaluate_model",
    "evaluate_retrieval",
    "evaluate_zero_shot",
    "get_task",
    "markdown_table",
    "model_card",
    "save_results",
    "write_model_card",
]

"""Evaluation: zero-shot classification, probes, retrieval and captioning on labelled days, with baselines."""

from .baselines import evaluate_gradient_boosting
from .callbacks import ZeroShotCallback
from .captioning import evaluate_captioning
from .encode import caption_days, encode_days, encode_texts
from .event_level import evaluate_event_level
from .model_card import beside_row, model_card, write_model_card
from .page import write_reports
from .probing import evaluate_few_shot, evaluate_probe
from .report import evaluate_model, markdown_table, save_results
from .retrieval import evaluate_retrieval
from .retrieval_pools import retrieval_curve
from .suite import run_suite
from .tasks import EVENT_TASKS, PROBE_TASKS, TASKS, UNSEEN_ACTIVITIES, UNSEEN_TASK, Task, get_event_task, get_task
from .zero_shot import class_embeddings, evaluate_zero_shot

__all__ = [
    "EVENT_TASKS",
    "PROBE_TASKS",
    "TASKS",
    "UNSEEN_ACTIVITIES",
    "UNSEEN_TASK",
    "Task",
    "ZeroShotCallback",
    "beside_row",
    "caption_days",
    "class_embeddings",
    "encode_days",
    "encode_texts",
    "evaluate_captioning",
    "evaluate_event_level",
    "evaluate_few_shot",
    "evaluate_gradient_boosting",
    "evaluate_model",
    "evaluate_probe",
    "evaluate_retrieval",
    "evaluate_zero_shot",
    "get_event_task",
    "get_task",
    "markdown_table",
    "model_card",
    "retrieval_curve",
    "run_suite",
    "save_results",
    "write_model_card",
    "write_reports",
]

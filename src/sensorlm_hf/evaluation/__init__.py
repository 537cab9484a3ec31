"""Evaluation: zero-shot classification, probes, retrieval and captioning on labelled days, with baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .baselines import evaluate_gradient_boosting
    from .callbacks import ZeroShotCallback
    from .captioning import evaluate_captioning
    from .encode import caption_days, encode_days, encode_texts
    from .event_level import evaluate_event_level
    from .model_card import beside_row, write_model_card
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
    "retrieval_curve",
    "run_suite",
    "save_results",
    "write_model_card",
    "write_reports",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "EVENT_TASKS": "tasks",
        "PROBE_TASKS": "tasks",
        "TASKS": "tasks",
        "Task": "tasks",
        "UNSEEN_ACTIVITIES": "tasks",
        "UNSEEN_TASK": "tasks",
        "ZeroShotCallback": "callbacks",
        "beside_row": "model_card",
        "caption_days": "encode",
        "class_embeddings": "zero_shot",
        "encode_days": "encode",
        "encode_texts": "encode",
        "evaluate_captioning": "captioning",
        "evaluate_event_level": "event_level",
        "evaluate_few_shot": "probing",
        "evaluate_gradient_boosting": "baselines",
        "evaluate_model": "report",
        "evaluate_probe": "probing",
        "evaluate_retrieval": "retrieval",
        "evaluate_zero_shot": "zero_shot",
        "get_event_task": "tasks",
        "get_task": "tasks",
        "markdown_table": "report",
        "retrieval_curve": "retrieval_pools",
        "run_suite": "suite",
        "save_results": "report",
        "write_model_card": "model_card",
        "write_reports": "page",
    },
)

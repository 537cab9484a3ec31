"""Evaluation on labelled days: zero-shot, free English, probes, retrieval and captioning, with baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .callbacks import ZeroShotCallback
    from .captioning import evaluate_captioning
    from .encode import caption_days, encode_days, encode_texts
    from .english import (
        calibration_error,
        evaluate_calibration,
        evaluate_concepts,
        evaluate_english,
        evaluate_event_sentences,
        evaluate_nonsense,
        evaluate_sentences,
    )
    from .evaluator import evaluate_model
    from .model_card import related_result, write_model_card
    from .page import write_reports
    from .results import markdown_table, save_results
    from .retrieval import evaluate_retrieval, retrieval_curve
    from .supervised import evaluate_few_shot, evaluate_gradient_boosting, evaluate_probe
    from .tasks import EVENT_TASKS, PROBE_TASKS, TASKS, UNSEEN_ACTIVITIES, UNSEEN_TASK, Task, get_event_task, get_task
    from .zero_shot import class_embeddings, evaluate_event_level, evaluate_zero_shot

__all__ = [
    "EVENT_TASKS",
    "PROBE_TASKS",
    "TASKS",
    "UNSEEN_ACTIVITIES",
    "UNSEEN_TASK",
    "Task",
    "ZeroShotCallback",
    "calibration_error",
    "caption_days",
    "class_embeddings",
    "encode_days",
    "encode_texts",
    "evaluate_calibration",
    "evaluate_captioning",
    "evaluate_concepts",
    "evaluate_english",
    "evaluate_event_level",
    "evaluate_event_sentences",
    "evaluate_few_shot",
    "evaluate_gradient_boosting",
    "evaluate_model",
    "evaluate_nonsense",
    "evaluate_probe",
    "evaluate_retrieval",
    "evaluate_sentences",
    "evaluate_zero_shot",
    "get_event_task",
    "get_task",
    "markdown_table",
    "related_result",
    "retrieval_curve",
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
        "calibration_error": "english",
        "caption_days": "encode",
        "class_embeddings": "zero_shot",
        "encode_days": "encode",
        "encode_texts": "encode",
        "evaluate_calibration": "english",
        "evaluate_captioning": "captioning",
        "evaluate_concepts": "english",
        "evaluate_english": "english",
        "evaluate_event_level": "zero_shot",
        "evaluate_event_sentences": "english",
        "evaluate_few_shot": "supervised",
        "evaluate_gradient_boosting": "supervised",
        "evaluate_model": "evaluator",
        "evaluate_nonsense": "english",
        "evaluate_probe": "supervised",
        "evaluate_retrieval": "retrieval",
        "evaluate_sentences": "english",
        "evaluate_zero_shot": "zero_shot",
        "get_event_task": "tasks",
        "get_task": "tasks",
        "markdown_table": "results",
        "related_result": "model_card",
        "retrieval_curve": "retrieval",
        "save_results": "results",
        "write_model_card": "model_card",
        "write_reports": "page",
    },
)

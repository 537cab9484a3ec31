"""Marks that transformers' own tests use."""

from __future__ import annotations

from typing import Any

MARKS = (
    "accelerate_tests",
    "flash_attn_test",
    "flash_attn_3_test",
    "flash_attn_4_test",
    "is_pipeline_test",
    "is_staging_test",
    "is_training_test",
    "order",
    "torch_compile_test",
)


def pytest_configure(config: Any) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", f"{mark}: of transformers' own tests")

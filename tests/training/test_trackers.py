"""Runs that log to trackio and wandb, without network access."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from training_cases import arguments, options

from sensorlm_hf.training import pretrain

WANTED = {f"train/{name}" for name in ("loss", "grad_norm", "logit_scale", "days_per_second", "mfu", "data_wait")}
WANTED |= {"eval/loss", "eval/r1_sensor_to_text", "eval/r1_text_to_sensor"}


def run(cohort: Path, folder: Path, tracker: str) -> None:
    given = arguments(folder, max_steps=5, eval_strategy="steps", eval_steps=5, report_to=tracker, run_name="five")
    pretrain(options(cohort, "clip"), given)


@pytest.fixture
def trackio_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "trackio"
    monkeypatch.setenv("TRACKIO_DIR", str(folder))
    return folder


def test_trackio_logs_every_value(cohort: Path, tmp_path: Path, trackio_folder: Path) -> None:
    pytest.importorskip("trackio")
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    run(cohort, tmp_path / "run", "trackio")
    trackio.finish()
    entries = SQLiteStorage.get_logs("huggingface", "five")
    assert {entry["train/global_step"] for entry in entries if "train/loss" in entry} == {1, 2, 3, 4, 5}
    assert set().union(*entries) >= WANTED


@pytest.fixture
def wandb_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    wandb = pytest.importorskip("wandb")
    for name, value in {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}.items():
        monkeypatch.setenv(name, value)
    yield tmp_path / "wandb"
    wandb.teardown()


def records(file: Path) -> Iterator[bytes]:
    """Records of a wandb file in LevelDB log format: 32 kB blocks of chunks with a 7-byte header."""
    data, place, record = file.read_bytes(), 7, b""
    while place < len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        record += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a complete record, or its last chunk
            yield record
            record = b""


def test_wandb_logs_every_value(cohort: Path, tmp_path: Path, wandb_folder: Path) -> None:
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    run(cohort, tmp_path / "run", "wandb")
    wandb.teardown()  # the service has written everything once it has exited
    (file,) = wandb_folder.glob("offline-run-*/*.wandb")
    entries: list[dict[str, Any]] = []
    for data in records(file):
        record = Record()
        record.ParseFromString(data)
        items = record.history.item
        entries.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    assert {entry["train/global_step"] for entry in entries if "train/loss" in entry} == {1, 2, 3, 4, 5}
    assert set().union(*entries) >= WANTED

"""Captioning on a local Ray cluster: a head node without CPUs and two nodes with one CPU each."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_sensor_days import a_day

from ray_clusters import ray_cluster
from sensorlm_hf.data import caption_folder, write_days
from sensorlm_hf.processing.captions import CaptionBuilder

KEYS = ("high_level_all_caption", "middle_low_caption")
BUILD = CaptionBuilder(seed=4, time_format="clock")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    write_days([a_day(i, minutes=120) for i in range(24)], folder, days_per_shard=3)
    return folder


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with ray_cluster(monkeypatch) as (ray, _, _):
        yield ray


@pytest.mark.slow
def test_two_cluster_workers_match_one_process(cluster: Any, source: Path, tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    caption_folder(source, alone, BUILD, KEYS)
    summary = caption_folder(source, together, BUILD, KEYS, num_proc=2, ray_address="auto")
    assert sum(node["Alive"] for node in cluster.nodes()) == 3
    assert len(summary.workers) == 2
    assert (summary.days, summary.shards, summary.resumed) == (24, 8, 0)
    written = [p.relative_to(alone) for p in sorted(alone.rglob("*")) if p.is_file()]
    assert written == [p.relative_to(together) for p in sorted(together.rglob("*")) if p.is_file()]
    for path in written:
        assert (alone / path).read_bytes() == (together / path).read_bytes(), path
    # It resumes, and reports a row that is not a day.
    (together / "data" / "train-00002.parquet").unlink()
    assert caption_folder(source, together, BUILD, KEYS, num_proc=2, ray_address="auto").resumed == 21
    assert (alone / "data" / "train-00002.parquet").read_bytes() == (
        together / "data" / "train-00002.parquet"
    ).read_bytes()
    bad = source / "data" / "train-00009.parquet"
    pq.write_table(pa.table({"values": pa.array([[[1.0] * 3]])}), bad)
    with pytest.raises(ValueError, match=r"train-00009\.parquet: Row 0: .* has 3 columns"):
        caption_folder(source, tmp_path / "bad", BUILD, KEYS, num_proc=2, ray_address="auto")
    bad.unlink()


def test_missing_ray_raises(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without_ray(name: str, *more: Any, **named: Any) -> Any:
        if name.split(".")[0] == "ray":
            raise ImportError("No module named 'ray'")
        return load(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(ImportError, match=r"sensorlm-hf\[ray\]"):
        caption_folder(source, tmp_path / "out", BUILD, KEYS, ray_address="local")

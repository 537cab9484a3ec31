"""Embedding on a local Ray cluster, one node of which is lost during the run."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ray_clusters import ray_cluster
from sensorlm_hf.data import write_days
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.retrieval import DayIndex, embed_folder

MODEL = Path(__file__).parents[1] / "fixtures" / "tiny-coca"
SHARDS = 24


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    write_days(simulate_days(2 * SHARDS, seed=6), folder, days_per_shard=2)
    return folder


@pytest.mark.slow
def test_a_lost_node_is_replaced(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    embed_folder(source, alone, MODEL)
    with ray_cluster(monkeypatch) as (ray, cluster, nodes):

        def lose_a_node() -> None:
            while len(list(together.rglob("*.parquet"))) < 3:
                time.sleep(0.05)
            cluster.remove_node(nodes[0], allow_graceful=False)

        loses = threading.Thread(target=lose_a_node, daemon=True)
        loses.start()
        summary = embed_folder(source, together, MODEL, num_proc=2, ray_address="auto")
        loses.join(timeout=30)
        assert not loses.is_alive()
        assert sum(node["Alive"] for node in ray.nodes()) == 2
    assert (summary.days, summary.shards) == (2 * SHARDS, SHARDS)
    assert not list(together.rglob("*.partial"))
    for path in sorted(alone.rglob("*.parquet")):
        mine, theirs = (pq.read_table(root / path.relative_to(alone)) for root in (alone, together))
        assert mine.drop_columns(["embedding"]).equals(theirs.drop_columns(["embedding"]))
    np.testing.assert_allclose(DayIndex.load(together).embeddings, DayIndex.load(alone).embeddings, atol=1e-5)

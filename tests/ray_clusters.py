"""Local Ray clusters: a head node without CPUs, and nodes with one CPU each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def ray_cluster(monkeypatch: pytest.MonkeyPatch, nodes: int = 2) -> Iterator[tuple[Any, Any, list[Any]]]:
    """Starts a cluster and connects to it; skips the test without Ray.

    Yields:
        The module `ray`, the cluster, and its nodes, which can be removed to lose their workers.
    """
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'sensorlm-hf[ray]'")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    paths = [str(Path(__file__).resolve().parents[1] / "src"), *filter(None, sys.path)]
    monkeypatch.setenv("PYTHONPATH", ":".join(dict.fromkeys(paths)))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    started = [cluster.add_node(num_cpus=1) for _ in range(nodes)]
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        yield ray, cluster, started
    finally:
        ray.shutdown()
        cluster.shutdown()

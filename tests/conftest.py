"""Shared fixtures. Nothing here, or in any test, reaches the network."""

from __future__ import annotations

import os

# Set before any Hugging Face import: otherwise each missing optional file costs many seconds of retries.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")
# Tiny models run faster on one thread than on several, and `pytest -n` already uses one process per core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _real_data() -> Path | None:
    named = os.environ.get("SENSORLM_REAL_DATA")
    for candidate in [Path(named)] if named else [ROOT.parent / "shared" / "data"]:
        if candidate.is_dir():
            return candidate
    return None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings; tests that need it are skipped if it is absent."""
    folder = _real_data()
    if folder is None:
        pytest.skip(
            "real recordings not found: set SENSORLM_REAL_DATA to the folder that holds mmash/, fitbit_takeout/"
        )
    return folder


@pytest.fixture(scope="session")
def parity_dir(real_data: Path) -> Path:
    """Folder of caption facts computed by the reference release."""
    folder = real_data.parent / "parity"
    if not folder.is_dir():
        pytest.skip(f"no parity facts next to {real_data}")
    return folder


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A dataset of 12 simulated subjects: 20 training, 2 validation and 2 test days, with its own `datasets` cache."""
    import datasets

    from sensorlm_hf.data import write_cohort

    folder = tmp_path_factory.mktemp("cohort") / "days"
    assert write_cohort(folder, people=12, days_per_person=2) == {"train": 20, "validation": 2, "test": 2}
    patch = pytest.MonkeyPatch()
    patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
    yield folder
    patch.undo()

"""Embedding folders of days: values, resuming, several processes, and wrong input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from sensorlm_hf.cli import main
from sensorlm_hf.data import write_days
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.embedding import encode_sensor
from sensorlm_hf.modeling import load_pretrained
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.retrieval import embed_folder
from sensorlm_hf.retrieval import embed_folder as function
from sensorlm_hf.retrieval.embed_folder import EMBEDDING, load_for_search

MODEL = Path(__file__).parents[1] / "fixtures" / "tiny-coca"


@pytest.fixture(scope="module")
def days() -> list[SensorDay]:
    return simulate_days(11, seed=4)


@pytest.fixture(scope="module")
def source(days: list[SensorDay], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards in two splits."""
    folder = tmp_path_factory.mktemp("days")
    write_days(days[:8], folder, days_per_shard=4)
    write_days(days[8:], folder, split="test")
    return folder


@pytest.fixture(scope="module")
def embedded(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "embedded"
    summary = embed_folder(source, folder, MODEL)
    assert (summary.days, summary.shards, summary.resumed) == (11, 3, 0)
    return folder


def shards(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def embeddings(folder: Path) -> np.ndarray:
    parts = [pq.read_table(path)["embedding"].combine_chunks() for path in shards(folder)]
    return np.concatenate([part.flatten().to_numpy().reshape(len(part), -1) for part in parts])


def test_shards_have_embeddings_instead_of_values(source: Path, embedded: Path, days: list[SensorDay]) -> None:
    assert [p.relative_to(embedded) for p in shards(embedded)] == [p.relative_to(source) for p in shards(source)]
    model, processor = load_pretrained(MODEL, dtype=torch.float32).eval(), SensorLMProcessor.from_pretrained(MODEL)
    for path in shards(source):
        before, after = pq.read_table(path), pq.read_table(embedded / path.relative_to(source))
        assert after.column_names == [*(name for name in before.column_names if name != "values"), "embedding"]
        assert after.drop_columns(["embedding"]).equals(before.drop_columns(["values"]))
    ordered = [*days[8:], *days[:8]]  # test-... comes before train-...
    expected = encode_sensor(model, processor, ordered)
    np.testing.assert_allclose(embeddings(embedded), expected, atol=1e-5)


def test_the_output_is_a_dataset(embedded: Path, tmp_path: Path) -> None:
    rows = datasets.load_dataset(str(embedded), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in rows.items()} == {"train": 8, "test": 3}
    assert np.linalg.norm(rows["test"].with_format("numpy")[0]["embedding"]) == pytest.approx(1, abs=1e-5)


def test_processes_give_the_same_embeddings(source: Path, embedded: Path, tmp_path: Path) -> None:
    summary = embed_folder(source, tmp_path / "out", MODEL, num_proc=2)
    assert len(summary.workers) in (1, 2)
    np.testing.assert_allclose(embeddings(tmp_path / "out"), embeddings(embedded), atol=1e-5)


def test_interrupted_runs_resume(source: Path, embedded: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    shutil.copytree(embedded, target)
    kept, cut, gone = shards(target)
    cut.write_bytes(cut.read_bytes()[:-200])
    gone.unlink()
    (target / "data" / ".x.partial").write_bytes(b"left over")
    stamp = kept.stat().st_mtime_ns
    summary = embed_folder(source, target, MODEL)
    assert (summary.days, summary.resumed) == (11, pq.read_metadata(kept).num_rows)
    assert kept.stat().st_mtime_ns == stamp
    assert not list(target.rglob("*.partial"))
    np.testing.assert_array_equal(embeddings(target), embeddings(embedded))


def test_other_models_and_inputs_do_not_continue(source: Path, embedded: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    shutil.copytree(embedded, target)
    record = json.loads((target / EMBEDDING.manifest).read_text())
    (target / EMBEDDING.manifest).write_text(json.dumps({**record, "weights": "0" * 16}))
    with pytest.raises(FileExistsError, match="started with other arguments: other weights"):
        embed_folder(source, target, MODEL)
    more = tmp_path / "more"
    shutil.copytree(source, more)
    write_days(simulate_days(1, seed=5), more, split="validation")
    with pytest.raises(FileExistsError, match="the input has changed"):
        embed_folder(more, embedded, MODEL)


def test_wrong_input_is_explained(source: Path, embedded: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be outside the input"):
        embed_folder(source, source / "out", MODEL)
    with pytest.raises(ValueError, match="`batch_size` must be an integer of at least 1"):
        embed_folder(source, tmp_path / "out", MODEL, batch_size=0)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        embed_folder(tmp_path / "nowhere", tmp_path / "out", MODEL)
    with pytest.raises(ValueError, match="no `values` column"):
        embed_folder(embedded, tmp_path / "out", MODEL)
    table = pq.read_table(shards(source)[0])
    (tmp_path / "bad").mkdir()
    rows = table.slice(0, 3).to_pylist()
    rows[1]["schema"] = "sensorlm-99"
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bad" / "x.parquet")
    with pytest.raises(ValueError, match=r"x\.parquet: Row 1: .*sensorlm-99"):
        embed_folder(tmp_path / "bad", tmp_path / "out", MODEL)
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_models_without_embeddings_are_refused(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sensorlm_hf.modeling import SensorLMConfig, SensorLMForConditionalGeneration

    config = SensorLMConfig.from_size("cap", "tiny", vocab_size=300)
    SensorLMForConditionalGeneration(config).save_pretrained(tmp_path / "cap")
    load_for_search.cache_clear()
    with pytest.raises(ValueError, match=r"objective 'cap' and no embeddings"):
        function(source, tmp_path / "out", tmp_path / "cap")


def test_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", str(source), str(tmp_path / "out"), "--model", str(MODEL), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == 11
    assert main(["embed", str(source), str(tmp_path / "out"), "--model", str(MODEL)]) == 0
    assert "Embedded 11 days in 3 files (11 of them in an earlier run)" in capsys.readouterr().out

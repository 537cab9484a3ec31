"""Search in embeddings of days: exact search beside a loop, approximate search, and damaged folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensorlm_hf.cli import main
from sensorlm_hf.data import write_days
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.retrieval import DayIndex, day_index, embed_folder
from sensorlm_hf.retrieval.embed_folder import EMBEDDING

MODEL = Path(__file__).parents[1] / "fixtures" / "tiny-coca"


@pytest.fixture(scope="module")
def days() -> list[SensorDay]:
    return simulate_days(9, seed=4)


@pytest.fixture(scope="module")
def embedded(days: list[SensorDay], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    write_days(days, folder / "days", days_per_shard=4)
    embed_folder(folder / "days", folder / "embedded", MODEL)
    return folder / "embedded"


def random_index(count: int, width: int = 24, seed: int = 0) -> DayIndex:
    """Embeddings around a hundred centres, like those of days, which come in kinds."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(100, width))
    vectors = centres[rng.integers(100, size=count)] + 0.4 * rng.normal(size=(count, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return DayIndex(vectors, pa.table({"day": np.arange(count)}), "none")


@pytest.mark.parametrize("at_once", [7, 1 << 20])
def test_exact_search_equals_a_loop(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_index, "_AT_ONCE", at_once)
    index = random_index(50)
    queries = np.random.default_rng(1).normal(size=(4, 24)).astype(np.float32)
    for query, matches in zip(queries, index.search(queries, k=6), strict=True):
        cosines = [float(query @ row) / np.linalg.norm(query) for row in index.embeddings]
        best = sorted(range(50), key=lambda row: (-cosines[row], row))[:6]
        assert [match.row["day"] for match in matches] == best
        np.testing.assert_allclose([match.score for match in matches], [cosines[row] for row in best], atol=1e-5)


def test_equal_days_are_in_the_order_of_their_rows() -> None:
    vectors = np.tile(np.eye(4, dtype=np.float32)[:1], (6, 1))
    index = DayIndex(vectors, pa.table({"day": range(6)}), "none")
    assert [match.row["day"] for match in index.search(np.ones(4, dtype=np.float32), k=9)[0]] == list(range(6))


def test_a_day_finds_itself(embedded: Path, days: list[SensorDay]) -> None:
    index = DayIndex.load(embedded)
    assert len(index) == 9
    for day, (match,) in zip(days, index.search_days(days, k=1), strict=True):
        assert match.score == pytest.approx(1, abs=1e-4)
        assert (match.row["subject_id"], match.row["start"]) == (day.subject_id, day.to_row()["start"])


def test_sentences_are_ranked_by_their_similarity(embedded: Path) -> None:
    index = DayIndex.load(embedded)
    one, two = index.search(["a long run", "a quiet day"], k=9)
    for matches in (one, two):
        scores = [match.score for match in matches]
        assert scores == sorted(scores, reverse=True)
        assert "embedding" not in matches[0].row
    again = index.search("a long run", k=9)[0]
    assert [match.row for match in again] == [match.row for match in one]


def test_approximate_search_finds_most_of_the_nearest(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    index = random_index(6000)
    queries = index.embeddings[:200] + 0.05
    exact = index.search(queries, k=10)
    index.build_approximate(probed=24)
    found = index.search(queries, k=10)
    hits = [len({m.row["day"] for m in a} & {m.row["day"] for m in b}) for a, b in zip(exact, found, strict=True)]
    assert np.mean(hits) > 8.5


def test_the_approximate_index_is_stored_and_mended(embedded: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    folder = tmp_path / "embedded"
    shutil.copytree(embedded, folder)
    query = np.ones(DayIndex.load(folder).embeddings.shape[1], dtype=np.float32)
    expected = [match.row["start"] for match in DayIndex.load(folder).search(query, k=9)[0]]

    def stored() -> Path:
        (path,) = folder.glob(day_index.INDEX_FILE.format("*"))
        return path

    for damage in (None, b"not an index"):
        if damage is not None:
            stored().write_bytes(damage)
        index = DayIndex.load(folder)
        index.build_approximate()
        assert stored().stat().st_size > 100
        assert [match.row["start"] for match in index.search(query, k=9)[0]] == expected
    with pytest.raises(ValueError, match="`probed` must be an integer of at least 1"):
        index.build_approximate(probed=0)


def test_wrong_arguments_are_explained(embedded: Path) -> None:
    index = DayIndex.load(embedded)
    with pytest.raises(ValueError, match="`k` must be an integer of at least 1, got 0"):
        index.search("running", k=0)
    with pytest.raises(ValueError, match=r"Queries must have shape \(queries, \d+\), got \(2, 3\)"):
        index.search(np.ones((2, 3), dtype=np.float32))
    with pytest.raises(TypeError, match=r"texts\[1\] must be a string"):
        index.search(["running", 3])
    with pytest.raises(ValueError, match="no approximate index yet"):
        index.probe(3)
    with pytest.raises(ValueError, match="no texts"):
        index.search([])
    table = pa.table({"day": [0, 1]})
    with pytest.raises(ValueError, match=r"one row for each of the 2 days, got \(3, 4\)"):
        DayIndex(np.eye(4)[:3], table, "none")
    with pytest.raises(ValueError, match="Embedding 1 has length nan"):
        DayIndex(np.array([[1.0, 0.0], [np.nan, 0.0]]), table, "none")


def test_incomplete_and_damaged_folders_are_explained(embedded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "embedded"
    shutil.copytree(embedded, folder)
    first, *_, last = sorted(folder.rglob("*.parquet"))
    last.unlink()
    with pytest.raises(ValueError, match=r"1 of the 3 files of .* are missing .*interrupted"):
        DayIndex.load(folder)
    shutil.copy(first, last)
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(ValueError, match="are damaged"):
        DayIndex.load(folder)
    (folder / EMBEDDING.manifest).write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        DayIndex.load(folder)
    (folder / EMBEDDING.manifest).unlink()
    with pytest.raises(ValueError, match="holds no embeddings; `sensorlm-hf embed`"):
        DayIndex.load(folder)


def test_other_weights_are_noticed(embedded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "embedded"
    shutil.copytree(embedded, folder)
    record = json.loads((folder / EMBEDDING.manifest).read_text())
    (folder / EMBEDDING.manifest).write_text(json.dumps({**record, "weights": "0" * 16}))
    with pytest.raises(ValueError, match="has other weights than when it embedded the days"):
        DayIndex.load(folder).search("running")
    with pytest.raises(ValueError, match="has other weights than when it embedded the days"):
        DayIndex.load(folder).search_days(simulate_days(1, seed=1))
    # An index of other embeddings is not taken for one of these.
    before, now = DayIndex.load(embedded)._index_file, DayIndex.load(folder)._index_file
    assert before is not None
    assert now is not None
    assert before.name != now.name


def test_command(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(embedded), "a long run", "a bad night", "-k", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == ["a long run", "a bad night"]
    assert len(lines) == 6
    assert main(["search", str(embedded), "a long run", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["sentence"] == "a long run"
    assert len(answer["days"]) == 5
    assert {"score", "subject_id", "start", "events"} <= set(answer["days"][0])
    assert main(["search", str(embedded / "nowhere"), "x"]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_files_are_read_as_they_are(embedded: Path) -> None:
    table = pq.read_table(sorted(embedded.rglob("*.parquet"))[0])
    assert pa.types.is_fixed_size_list(table.schema.field("embedding").type)

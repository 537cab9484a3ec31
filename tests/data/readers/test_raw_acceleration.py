"""Raw recordings of ActiGraph and Axivity, which the tests write as the formats are described."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from raw_files import (
    CWA_HEADER,
    clock,
    cwa_sector,
    gt3x_file,
    gt3x_record,
    movement,
    pack12,
)

from sensorlm_hf.data.readers import ReadReport, detect_source, read_actigraph, read_any, read_axivity
from sensorlm_hf.data.readers.device_days import Batch
from sensorlm_hf.data.readers.raw_acceleration import CHUNK_SECONDS, add_acceleration
from sensorlm_hf.data.signals import acceleration_features

BERLIN = "Europe/Berlin"
START = datetime(2024, 3, 1, 8, 0)
RATE_100 = 0x4A  # 100 Hz, 8 g


def gt3x(path: Path, acc: np.ndarray, rate: int = 30, *, packed: bool = False, start: datetime = START) -> Path:
    counts = np.round(acc * 256).reshape(-1, rate, 3)
    log = b"".join(
        gt3x_record(
            0 if packed else 26, clock(start) + second, pack12(part) if packed else part.astype("<i2").tobytes()
        )
        for second, part in enumerate(counts)
    )
    path.write_bytes(gt3x_file(log, rate))
    return path


def cwa(path: Path, acc: np.ndarray, *, packed: bool = False, start: datetime = START) -> Path:
    scale, size = (256, 100) if packed else (2048, 50)
    parts = np.round(acc * scale).reshape(-1, size, 3)
    sectors = [
        # The time in a sector is a whole second; the offset says at which sample.
        cwa_sector(start + timedelta(seconds=n * size // 100), part, RATE_100, packed=packed, offset=-(n * size % 100))
        for n, part in enumerate(parts)
    ]
    path.write_bytes(CWA_HEADER + b"".join(sectors))
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_gt3x_minutes_are_the_features_of_its_samples(tmp_path: Path, packed: bool) -> None:
    acc = movement(240, 30)
    path = gt3x(tmp_path / "p1.gt3x", acc, packed=packed)
    report = ReadReport()
    (day,) = read_actigraph(path, BERLIN, report=report)
    expected = acceleration_features(np.round(acc * 256) / 256, 30.0)
    for key in ("steps", "log_energy", "axis_mean", "kurtosis", "sleep_coefficient"):
        assert day.channel(key)[480:484] == pytest.approx(expected[key], abs=1e-4, nan_ok=True)
    assert day.channel("steps")[480:484].sum() == pytest.approx(240, abs=4)
    assert np.flatnonzero(day.mask.any(axis=1)).tolist() == [480, 481, 482, 483]
    assert not report.notes
    assert detect_source(path) == "actigraph"
    assert list(read_any(path, timezone=BERLIN)) == [day]


@pytest.mark.parametrize("packed", [False, True])
def test_cwa_minutes_are_the_features_of_its_samples(tmp_path: Path, packed: bool) -> None:
    acc = 0.9 * movement(240, 100)
    path = cwa(tmp_path / "p1.cwa", acc, packed=packed)
    (day,) = read_axivity(path, BERLIN)
    scale = 256 if packed else 2048
    expected = acceleration_features(np.round(acc * scale) / scale, 100.0)
    for key in ("steps", "log_energy", "axis_mean", "kurtosis", "sleep_coefficient"):
        assert day.channel(key)[480:484] == pytest.approx(expected[key], abs=1e-3, nan_ok=True)
    assert np.flatnonzero(day.mask.any(axis=1)).tolist() == [480, 481, 482, 483]
    assert detect_source(path) == "axivity"
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "p1.cwa.gz").write_bytes(gzip.compress(path.read_bytes()))
    (again,) = read_axivity(tmp_path / "packed", BERLIN)
    assert again == day


def test_an_ax6_has_the_gyroscope_first(tmp_path: Path) -> None:
    counts = np.tile([900, 900, 900, 512, 1024, 1536], (40, 1))
    sectors = [cwa_sector(START + timedelta(seconds=n), counts, 0x08, offset=0) for n in range(60)]  # 25 Hz
    path = tmp_path / "p1.cwa"
    path.write_bytes(CWA_HEADER + b"".join(sectors))
    (day,) = read_axivity(path, BERLIN)
    assert day.channel("axis_mean")[480] == pytest.approx(0.5)


def test_clocks_of_devices_go_on_where_local_time_changes(tmp_path: Path) -> None:
    start = datetime(2024, 3, 31, 1, 0)
    path = gt3x(tmp_path / "p1.gt3x", np.concatenate([movement(600, 5)] * 12), 5, start=start)
    (day,) = read_actigraph(path, BERLIN)
    assert np.flatnonzero(day.mask.any(axis=1)).tolist() == list(range(60, 180))


def test_gaps_and_damage_are_missing_and_noted(tmp_path: Path) -> None:
    acc = np.round(movement(180, 30) * 256).reshape(-1, 30, 3).astype("<i2")
    records = [gt3x_record(26, clock(START) + n + 600 * (n >= 60), part.tobytes()) for n, part in enumerate(acc)]
    records[70] = records[70][:-1] + b"\x07"  # a wrong checksum
    log = records[0] + b"\0\0\0" + gt3x_record(26, clock(START), b"\x01") + b"".join(records[1:]) + records[5][:20]
    path = tmp_path / "p1.gt3x"
    path.write_bytes(gt3x_file(log))
    report = ReadReport()
    (day,) = read_actigraph(path, BERLIN, report=report)
    assert np.flatnonzero(day.mask.any(axis=1)).tolist() == [480, 491, 492]
    assert report.count("damaged-records") >= 2
    sectors = [cwa_sector(START + timedelta(seconds=n), np.zeros((50, 3)), RATE_100, offset=0) for n in range(60)]
    sectors[3] = sectors[3][:100] + b"\x01" + sectors[3][101:]
    path = tmp_path / "p1.cwa"
    path.write_bytes(CWA_HEADER + b"".join(sectors) + sectors[0][:100])
    report = ReadReport()
    list(read_axivity(path, BERLIN, report=report))
    assert report.count("damaged-records") == 1


def test_messages(tmp_path: Path) -> None:
    path = tmp_path / "p1.gt3x"
    for data, message in (
        (b"PK", r"p1\.gt3x is a damaged \.gt3x file"),
        (gt3x_file(b"", name="activity.bin"), r"must contain info\.txt and log\.bin; .* It is of an old format"),
        (gt3x_file(b"", rate=0), r"`Sample Rate` must be a number from 1 to 1000, got '0'"),
        (gt3x_file(b"", serial="X1"), r"needs `Acceleration Scale`, or a serial number .* got 'X1'"),
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message):
            list(read_actigraph(path, BERLIN))
    path = tmp_path / "p1.cwa"
    for data, message in (
        (b"MD", r"p1\.cwa is not a complete \.cwa file: it has 2 bytes"),
        (CWA_HEADER + bytes(512), "none of its sectors has samples"),
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message):
            list(read_axivity(path, BERLIN))


def test_chunks_join_to_the_features_of_the_whole() -> None:
    rate, start = 10, float(CHUNK_SECONDS * 80_000 - 120)
    acc = movement(240, rate)
    times = start + np.arange(len(acc)) / rate
    batch = Batch(ZoneInfo(BERLIN), ReadReport())
    pieces = [(times[low : low + 333], acc[low : low + 333]) for low in range(0, len(acc), 333)]
    add_acceleration(batch, pieces, rate)
    assert [first for _, first in batch.features] == [int(start // 60), int(start // 60) + 2]
    whole = acceleration_features(acc, rate)
    for key in ("log_energy", "axis_mean", "kurtosis"):
        joined = np.concatenate([values[key] for values, _ in batch.features])
        assert joined == pytest.approx(whole[key], abs=1e-6, nan_ok=True)


def test_minutes_on_a_table_are_missing_and_noted(tmp_path: Path) -> None:
    rate, rng = 10, np.random.default_rng(0)
    worn = np.concatenate([movement(600, rate)] * 12)
    table = np.array([0.02, -0.01, 1.0]) + rng.normal(0, 0.004, (3 * 3600 * rate, 3))
    path = gt3x(tmp_path / "p1.gt3x", np.concatenate([worn, table, worn]), rate)
    report = ReadReport()
    (day,) = read_actigraph(path, BERLIN, report=report)
    observed = np.flatnonzero(day.mask.any(axis=1))
    # The recording begins at minute 480; blocks of 15 minutes next to the worn time are judged with it.
    lost = np.setdiff1d(np.arange(480, 480 + 7 * 60), observed)
    assert lost.tolist() == list(range(480 + 120 + 30, 480 + 300 - 30))
    assert report.count("not-worn") == len(lost)
    assert np.isnan(day.channel("axis_mean")[lost]).all()

"""GGIR: output that the tests write as it is described."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_ggir

BERLIN = "Europe/Berlin"
SCHEMA = {
    "name": "ggir",
    "channels": [{"key": "enmo", "label": "ENMO", "modality": "ACC", "unit": "mg", "mean": 30, "std": 40}],
}


def test_epochs_in_g(tmp_path: Path) -> None:
    path = tmp_path / "meta_p1.csv"
    rows = "2024-03-01T08:00:00+0100,0.031,-12,0\n2024-03-01T08:00:05+0100,0.033,-12,0\n"
    path.write_text('timestamp,ENMO,anglez,"nonwear_score"\n' + rows, encoding="utf-8")
    (day,) = read_ggir(path, BERLIN, schema=SCHEMA)
    assert day.channel("enmo")[480] == pytest.approx(32)
    assert detect_source(path) == "ggir"
    report = ReadReport()
    assert list(read_any(path, timezone=BERLIN, report=report)) == []
    assert report.count("samples-unused") == 2


def test_time_series_and_nights(tmp_path: Path) -> None:
    start = 1709251200  # 2024-03-01 01:00 in Berlin
    rows = [f"{start + 60 * n},{n},{int(n < 30)},{int(n == 40)},{int(n > 2)}" for n in range(60)]
    header = "timenum,ACC,SleepPeriodTime,invalidepoch,class_id\n"
    (tmp_path / "p1.csv").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    night = "ID,night,sleeponset,wakeup,calendar_date\n1,1,22.5,31.25,2024-03-01\n1,2,,,2024-03-02\n"
    (tmp_path / "part4_nightsummary_sleep_cleaned.csv").write_text(night, encoding="utf-8")
    (tmp_path / "part2_daysummary.csv").write_text("ID\n1\n", encoding="utf-8")
    report = ReadReport()
    (day,) = read_ggir(tmp_path, BERLIN, schema=SCHEMA, report=report)
    assert day.channel("enmo")[60:63].tolist() == [0, 1, 2]
    assert np.isnan(day.channel("enmo")[100])
    assert day.events == (Event("sleep", "sleep", 60, 90), Event("sleep", "sleep", 1350, 1875))
    assert report.count("not-worn") == report.count("sleep-without-times") == 1
    assert list(report.files_unused.values()) == ["summaries of days and people, without minutes"]

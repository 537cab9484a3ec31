"""TCX and GPX workouts that the tests write in the documented schemas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_workouts

BERLIN = "Europe/Berlin"
TCX = """<?xml version="1.0" encoding="UTF-8"?>
<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2">
 <Activities><Activity Sport="Running"><Id>2024-03-01T17:00:00Z</Id>
  <Lap StartTime="2024-03-01T17:00:00.000Z"><TotalTimeSeconds>1800.0</TotalTimeSeconds>
   <AverageHeartRateBpm><Value>99</Value></AverageHeartRateBpm><Track>
    <Trackpoint><Time>2024-03-01T17:00:05Z</Time><Position><LatitudeDegrees>52.5</LatitudeDegrees></Position>
     <HeartRateBpm><Value>120</Value></HeartRateBpm></Trackpoint>
    <Trackpoint><Time>2024-03-01T17:00:35Z</Time><HeartRateBpm><Value>130</Value></HeartRateBpm></Trackpoint>
    <Trackpoint><Time>2024-03-01T17:10:00Z</Time></Trackpoint>
   </Track></Lap>
 </Activity></Activities>
</TrainingCenterDatabase>
"""
GPX = """<?xml version="1.0"?>
<gpx xmlns="http://www.topografix.com/GPX/1/1" xmlns:t="http://www.garmin.com/xmlschemas/TrackPointExtension/v1">
 <trk><name>With Anna</name><type>cycling</type><trkseg>
  <trkpt lat="52.5" lon="13.4"><ele>3</ele><time>2024-03-01T19:00:00+01:00</time>
   <extensions><t:TrackPointExtension><t:hr>110</t:hr></t:TrackPointExtension></extensions></trkpt>
  <trkpt lat="52.5" lon="13.4"><time>2024-03-01T18:20:00Z</time></trkpt>
  <trkpt lat="52.5" lon="13.4"></trkpt>
 </trkseg></trk>
 <trk><name>With Anna</name><trkseg></trkseg></trk>
</gpx>
"""


def test_tcx_and_gpx(tmp_path: Path) -> None:
    (tmp_path / "run.tcx").write_text("\n" + TCX, encoding="utf-8")
    (tmp_path / "ride.gpx").write_text(GPX, encoding="utf-8")
    report = ReadReport()
    (day,) = read_workouts(tmp_path, BERLIN, report=report)
    assert day.events == (Event("activity", "running", 1080, 1110), Event("activity", "outdoor cycling", 1140, 1160))
    assert day.channel("HR")[[1080, 1140]].tolist() == [125, 110]
    assert day.mask.sum() == 2
    assert report.count("points-without-time") == report.count("exercise-without-times") == 1
    assert detect_source(tmp_path) == detect_source(tmp_path / "run.tcx") == "workouts"
    assert list(read_any(tmp_path, timezone=BERLIN)) == [day]


def test_workouts_beside_other_files_do_not_hide_them(tmp_path: Path) -> None:
    (tmp_path / "1.tcx").write_text(TCX, encoding="utf-8")
    heart = [{"dateTime": "07/05/21 10:00:00", "value": {"bpm": 61, "confidence": 3}}]
    (tmp_path / "heart_rate-2021-07-05.json").write_text(json.dumps(heart), encoding="utf-8")
    assert detect_source(tmp_path) == "fitbit"


def test_damaged_and_unsafe_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tcx"
    path.write_text(TCX.replace("</Activity>", ""), encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.tcx, line \d+: not valid XML"):
        list(read_workouts(path, BERLIN))
    path.write_text(TCX.replace("<Training", '<!DOCTYPE x [<!ENTITY a "b">]><Training', 1), encoding="utf-8")
    with pytest.raises(ValueError, match="must not contain a document type"):
        list(read_workouts(path, BERLIN))
    path.write_text(TCX.replace("<Value>120<", "<Value>high<"), encoding="utf-8")
    with pytest.raises(ValueError, match="track point 0: the heart rate must be a number, got 'high'"):
        list(read_workouts(path, BERLIN))


def test_a_track_without_heart_rates_leaves_a_note(tmp_path: Path) -> None:
    (tmp_path / "run.tcx").write_text(TCX, encoding="utf-8")
    walk = "<gpx><trk><type>walking</type><trkseg><trkpt><time>2024-03-01T{}:00Z</time></trkpt></trkseg></trk></gpx>"
    text = walk.format("09:00").replace("</trkseg>", "<trkpt><time>2024-03-01T09:20:00Z</time></trkpt></trkseg>")
    (tmp_path / "walk.gpx").write_text(text, encoding="utf-8")
    report = ReadReport()
    (day,) = read_workouts(tmp_path, BERLIN, report=report)
    assert day.events[0] == Event("activity", "walking", 600, 620)
    assert report.count("no-heart-rate") == 1
    assert "walk.gpx" in report.summary()

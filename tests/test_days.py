from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf.days import Event, SensorDay, stack_values
from sensorlm_hf.schema import get_schema

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2024, 3, 1, 6, 30, tzinfo=BERLIN)


def values(minutes: int = 1440, width: int = 26) -> np.ndarray:
    array = np.random.default_rng(0).normal(50, 5, (minutes, width)).astype(np.float32)
    array[100:200] = np.nan
    return array


def day(**changes) -> SensorDay:
    return SensorDay(**{"values": values(), "start": START, "subject_id": "p001", **changes})


def test_day_copies_and_freezes_values():
    array = values()
    one = day(values=array)
    array[0, 0] = -1
    assert one.values[0, 0] != -1
    assert one.values.dtype == np.float32
    for same in [one, copy.deepcopy(one), pickle.loads(pickle.dumps(one))]:
        assert same == one
        with pytest.raises(ValueError, match="read-only"):
            same.values[0, 0] = 1
    np.testing.assert_array_equal(one.mask, np.isfinite(array))
    assert len(one) == 1440
    assert one.schema is get_schema("sensorlm-26")


def test_channel_and_stack():
    one, other = day(), day(values=values() + 1)
    np.testing.assert_array_equal(one.channel("steps"), one.values[:, 10])
    np.testing.assert_array_equal(stack_values([one, other])[1], other.values)
    with pytest.raises(ValueError, match=r"days\[1\] has schema 'sensorlm-26' and 720 minutes"):
        stack_values([one, day(values=values(720))])
    with pytest.raises(ValueError, match="empty"):
        stack_values([])


def test_clock_across_clock_change():
    # In Germany, clocks went forward on 31 March 2024 at 02:00: the day has 23 hours.
    one = day(start=datetime(2024, 3, 31, 0, 0, tzinfo=BERLIN))
    assert one.clock(119).isoformat() == "2024-03-31T01:59:00+01:00"
    assert one.clock(120).isoformat() == "2024-03-31T03:00:00+02:00"
    assert one.end.isoformat() == "2024-04-01T01:00:00+02:00"
    # They went back on 27 October at 03:00: the second 02:30 is a different minute from the first.
    late = day(start=datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN))
    later = day(start=datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN))
    assert late.clock(60).isoformat() == "2024-10-27T02:30:00+01:00"
    assert late.sample_id == "p001@2024-10-27T02:30+0200"
    assert later.sample_id == "p001@2024-10-27T02:30+0100"
    assert late != later


def test_equality():
    assert day() == day()
    assert day() != day(subject_id="p002")
    assert day() != day(start=START + timedelta(minutes=1))
    assert day() != day(start=START.astimezone(timezone.utc))  # the same instant, but another wall clock
    assert day() != day(labels={"mood": "calm"})
    assert day() != "p001"


def test_events_are_sorted_and_selected():
    run, nap, mood = (
        Event("activity", "running", 600, 640),
        Event("sleep", "nap", 300, 350),
        Event("mood", "calm", 20, 20),
    )
    one = day(events=[run, mood, nap])
    assert one.events == (mood, nap, run)
    assert one.events_of("sleep") == (nap,)
    assert run.duration == 40
    with pytest.raises(ValueError, match="activity, sleep, mood"):
        one.events_of("meal")


def test_crop_masks_other_minutes():
    events = [
        Event("sleep", "night", -60, 100),
        Event("mood", "calm", 100, 100),
        Event("mood", "tense", 99, 99),
        Event("activity", "running", 200, 260),
        Event("activity", "walking", 150, 200),
    ]
    one = day(values=np.ones((1440, 26)), events=events)
    part = one.crop(100, 200)
    assert [e.label for e in part.events] == ["calm", "walking"]
    assert part.mask.sum() == 100 * 26
    assert part.mask[100:200].all()
    assert len(part) == 1440
    for span in [(-1, 5), (5, 5), (0, 1441)]:
        with pytest.raises(ValueError, match="inside the window of 1440 minutes"):
            one.crop(*span)


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        (("meal", "lunch", 0, 5), ValueError, "`kind` must be one of"),
        (("sleep", " ", 0, 5), ValueError, "`label`"),
        (("sleep", "nap", 10, 5), ValueError, "add 1440 to the end"),
        (("sleep", "nap", 5, 5), ValueError, "must end after it starts"),
        (("sleep", "nap", 0.5, 5), ValueError, "whole number"),
        (("sleep", "nap", float("nan"), 5), ValueError, "whole number"),
        (("sleep", "nap", True, 5), TypeError, "whole number"),
        (("sleep", "nap", "0", 5), TypeError, "whole number"),
    ],
)
def test_invalid_events_raise(args, error, match):
    with pytest.raises(error, match=match):
        Event(*args)


def test_event_minutes_are_converted_to_int():
    event = Event("sleep", "nap", np.int64(3), 9.0)
    assert (type(event.start_minute), event.end_minute) == (int, 9)
    assert event.to_dict() == {"kind": "sleep", "label": "nap", "start_minute": 3, "end_minute": 9}


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"values": np.zeros(1440)}, ValueError, "shape"),
        ({"values": np.zeros((0, 26))}, ValueError, "shape"),
        ({"values": np.zeros((1440, 25))}, ValueError, "25 columns, but schema 'sensorlm-26' has 26"),
        ({"values": np.zeros((26, 1440))}, ValueError, "1440 columns"),
        ({"values": [[1.0, 2.0], [3.0]]}, TypeError, "must be numbers"),
        ({"values": np.full((1440, 26), "72")}, TypeError, "must be numbers"),
        ({"values": np.full((1440, 26), "72", dtype=object)}, TypeError, "must be numbers"),
        ({"values": np.zeros((1440, 26), dtype=complex)}, TypeError, "complex"),
        ({"start": START.replace(tzinfo=None)}, ValueError, "must be timezone-aware"),
        ({"start": "2024-03-01"}, TypeError, "must be a datetime"),
        ({"subject_id": ""}, ValueError, "`subject_id`"),
        ({"subject_id": 7}, ValueError, "`subject_id`"),
        ({"schema": "sensorlm-27"}, ValueError, "Unknown schema"),
        ({"events": [("sleep", 0, 5)]}, TypeError, r"events\[0\] must be an Event"),
        ({"events": [Event("sleep", "nap", 1440, 1500)]}, ValueError, "does not overlap the window of 1440"),
        ({"events": [Event("sleep", "nap", -60, 0)]}, ValueError, "does not overlap"),
        ({"labels": ["a"]}, TypeError, "must be a mapping"),
        ({"labels": {"a": [1]}}, TypeError, r"labels\['a'\]"),
        ({"labels": {1: "a"}}, TypeError, "labels"),
    ],
)
def test_invalid_days_raise(changes, error, match):
    with pytest.raises(error, match=match):
        day(**changes)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e39])
def test_infinite_values_are_reported_with_location(bad):
    array = values().astype(np.float64)
    array[7, 10] = bad
    with pytest.raises(ValueError, match="minute 7, channel 'steps'"):
        day(values=array)


def test_tables_are_matched_by_name():
    keys = list(get_schema().keys)
    table = pd.DataFrame(values(), columns=keys)
    assert day(values=table[keys[::-1]]) == day(values=table)
    with pytest.raises(ValueError, match=r"columns pulse.*schema 'sensorlm-26' has HR"):
        day(values=table.rename(columns={"HR": "pulse"}))


def test_row_round_trips():
    one = day(
        events=[Event("sleep", "nap", 300, 350), Event("mood", "calm", 20, 20)],
        labels={"hypertension": True, "age": np.int64(40), "main_activity": "running"},
    )
    row = one.to_row()
    assert row["timezone"] == "Europe/Berlin"
    assert SensorDay.from_row(row) == one
    back = SensorDay.from_row(row)
    assert back.start.tzinfo == BERLIN
    assert back.labels == {"hypertension": True, "age": 40, "main_activity": "running"}
    # Possible forms in `datasets`: lists for arrays, a struct of lists for a list of structs, None for missing labels.
    turned = {
        **row,
        "values": [[None if np.isnan(v) else float(v) for v in line] for line in one.values],
        "events": {key: [event[key] for event in row["events"]] for key in row["events"][0]},
        "labels": {**row["labels"], "diabetes": None},
    }
    assert SensorDay.from_row(turned) == one
    assert SensorDay.from_row({**row, "events": None, "labels": None}).events == ()


def test_rows_with_custom_schema_include_it():
    schema = get_schema({"name": "ring", "channels": [{"key": "glucose", "mean": 5.5, "std": 1.5}]})
    one = day(values=np.full((60, 1), 5.0), schema=schema)
    assert SensorDay.from_row(one.to_row()) == one
    assert day().to_row()["schema"] == "sensorlm-26"  # a built-in schema is stored by name
    named = {**one.to_row(), "schema": "ring"}  # format of earlier versions
    assert SensorDay.from_row(named, schema=schema) == one
    with pytest.raises(ValueError, match="Unknown schema 'ring'"):
        SensorDay.from_row(named)


def test_minimal_rows():
    bare = SensorDay.from_row({"values": values()})
    assert bare.sample_id == "unknown@1970-01-01T00:00+0000"
    zulu = SensorDay.from_row({"values": values(), "start": "2024-03-01T05:30:00Z", "timezone": "Europe/Berlin"})
    assert zulu.start == START
    assert zulu.start.hour == 6
    naive = SensorDay.from_row({"values": values(), "start": "2024-03-01T06:30:00", "timezone": "Europe/Berlin"})
    assert naive.start == START


@pytest.mark.parametrize(
    ("row", "error", "match"),
    [
        ({}, ValueError, "`values` column"),
        ({"start": "2024-03-01T06:30:00"}, ValueError, "timezone-aware"),
        ({"start": "yesterday"}, ValueError, "ISO 8601"),
        ({"start": 5}, TypeError, "ISO 8601"),
        ({"start": "2024-03-01T06:30:00", "timezone": "Europe/Berlinn"}, ValueError, "IANA"),
        ({"events": [{"kind": "sleep", "label": "nap", "start_minute": 0}]}, ValueError, r"events\[0\] lacks"),
        (
            {"events": [{"kind": "nap", "label": "nap", "start_minute": 0, "end_minute": 5}]},
            ValueError,
            r"events\[0\].*`kind`",
        ),
    ],
)
def test_invalid_rows_raise(row, error, match):
    with pytest.raises(error, match=match):
        SensorDay.from_row({"values": values(), **row} if row else row)


def test_replace_preserves_other_fields():
    one = day()
    hidden = one.without(np.arange(len(one.schema)) == 0)
    assert np.isnan(hidden.values[:, 0]).all()
    np.testing.assert_array_equal(hidden.values[:, 1:], one.values[:, 1:])
    assert not hidden.values.flags.writeable
    assert hidden.values.dtype == np.float32
    renamed = one.with_subject("p9")
    assert renamed.subject_id == "p9"
    assert renamed.sample_id.startswith("p9@")
    late, early = Event("sleep", "nap", 300, 400), Event("mood", "calm", 10, 10)
    relabelled = one.with_events([late, early])
    assert relabelled.events == (early, late)
    for changed in (renamed, relabelled):
        assert changed.values is one.values, "values should be shared, not copied"
        assert changed.labels == one.labels
        assert changed.labels is not one.labels
    assert one == day(), "the original day must not change"


def test_replaced_fields_are_validated():
    with pytest.raises(ValueError, match="`subject_id` must be a non-empty string"):
        day().with_subject("")
    with pytest.raises(ValueError, match="does not overlap the window"):
        day().with_events([Event("sleep", "nap", 5000, 6000)])
    with pytest.raises(TypeError, match="must be an Event"):
        day().with_events(["nap"])

"""Damaged recordings of every kind end in a clear error or in days: 500 inputs, and every mutation that once failed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from campaign import inputs, run_all, table
from fault_seeds import NAMES, seed
from mutations import mutate
from outcomes import FAILURES, compare, original, unclear

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="limits of memory, pipes and sockets are those of POSIX"
)

KEPT = Path(__file__).with_name("kept_failures.json")


@pytest.mark.parametrize("name", NAMES)
def test_seed_is_read(name: str) -> None:
    days = original(name)
    assert days
    assert any(day.mask.any() or day.events for day in days)


def test_mutation_is_named_by_its_number() -> None:
    for name in ("fitbit", "table_excel", "garmin"):
        files = seed(name).files
        first = mutate(name, 7, files)
        assert first == mutate(name, 7, files)
        changed = [number for number in range(40) if mutate(name, number, files).files != files]
        assert len(changed) > 30, "a mutation should usually change something"


def test_damaged_recordings_end_well() -> None:
    outcomes = run_all(inputs(500, start=1_000_000), jobs=2)
    failed = [outcome for outcome in outcomes if outcome.outcome in FAILURES]
    assert not failed, f"{failed[0]}\n{table(outcomes)}"
    assert len(outcomes) == 500
    assert {"clear error", "equal", "subset", "different"} == {outcome.outcome for outcome in outcomes}


def test_mutations_that_once_failed() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    outcomes = run_all([(entry["seed"], entry["mutation"]) for entry in kept], jobs=2)
    assert not [outcome for outcome in outcomes if outcome.outcome in FAILURES]
    assert len(outcomes) == len(kept)


def test_outcomes_tell_what_changed() -> None:
    (day,) = original("table_csv")
    assert compare([day], [day]) == ("equal", "")
    assert compare([day], []) == ("subset", "0 of 1 days")
    assert compare([day], [day.crop(480, 485)])[0] == "subset"
    assert compare([day.crop(480, 485)], [day]) == ("different", "other minutes")
    assert compare([day], [day.with_subject("x")]) == ("different", "people")


def test_messages_that_say_nothing_are_told_from_clear_ones() -> None:
    path = Path("recording/a.csv")
    assert unclear("a.csv, line 3: HR must be a number, got 'x'.", path, []) is None
    for message in ("HR must be a number", "a.csv: 'NoneType' object is not iterable", "a.csv: \x1b[2J", "a.csv" * 999):
        assert unclear(message, path, []) is not None

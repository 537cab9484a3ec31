"""The order in which days are sampled."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.training.sampler import PersonSampler


def cohort(people: int, days: int) -> list[str]:
    return [f"p{i:03d}" for i in range(people) for _ in range(days)]


def test_epoch_has_unique_rows_in_full_batches() -> None:
    sampler = PersonSampler(cohort(10, 3), batch_size=4, seed=1)
    rows = list(sampler)
    assert len(rows) == len(sampler) == 28
    assert len(set(rows)) == 28
    assert set(rows) <= set(range(30))


def test_order_is_a_permutation() -> None:
    sampler = PersonSampler(cohort(7, 4), batch_size=5)
    assert sorted(sampler.order(0).tolist()) == list(range(28))


def test_index_encodes_epoch_and_order_changes() -> None:
    sampler = PersonSampler(cohort(6, 2), batch_size=4)
    first = list(sampler)
    sampler.set_epoch(3)
    later = list(sampler)
    assert {index // 12 for index in later} == {3}
    assert [index % 12 for index in later] != first
    sampler.set_epoch(0)
    assert list(sampler) == first


@pytest.mark.parametrize("seed", range(5))
def test_subjects_are_unique_within_batch(seed: int) -> None:
    people = cohort(20, 5)
    sampler = PersonSampler(people, batch_size=10, seed=seed)
    batches = np.array([people[i] for i in sampler]).reshape(-1, 10)
    assert all(len(set(batch)) == 10 for batch in batches)


def test_subjects_with_many_days_keep_all_days() -> None:
    people = ["busy"] * 9 + ["a", "b", "c"]
    assert sorted(PersonSampler(people, batch_size=2).order(0).tolist()) == list(range(12))


def test_dataset_smaller_than_batch_is_returned_entirely() -> None:
    assert sorted(PersonSampler(["a", "b", "c"], batch_size=8)) == [0, 1, 2]


@pytest.mark.parametrize(("people", "batch", "words"), [([], 4, "empty"), (["a"], 0, "at least 1")])
def test_invalid_input_raises(people: list[str], batch: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PersonSampler(people, batch)

"""Sampling order of training days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch


class PersonSampler(torch.utils.data.Sampler[int]):
    """Shuffles days such that days of the same person are far apart.

    With several days of one person in a batch, contrastive learning can distinguish people instead of days. The sampler
    works in rounds: each round contains one day of every person with days left, in random order, and people at the end
    of a round are not placed within `batch_size` positions at the beginning of the next, if there are enough people.

    Yields `epoch * len(people) + row`, the index format of [`SensorDayDataset`]. The order only depends on
    `(seed, epoch)`.

    The last incomplete batch is dropped (with different rows in each epoch), since a contrastive loss over a few days
    has hardly any negatives. A dataset smaller than one batch is used in full.

    Args:
        people: Subject id of every row.
        batch_size: Global batch size.
        seed: Seed of the order.
    """

    def __init__(self, people: Sequence[str], batch_size: int, seed: int = 0) -> None:
        if len(people) == 0:
            raise ValueError("`people` is empty; there is nothing to sample.")
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")
        _, self._person = np.unique(np.asarray(people, dtype=str), return_inverse=True)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch that determines the order of the next iteration."""
        self.epoch = int(epoch)

    def __len__(self) -> int:
        rows = len(self._person)
        return rows if rows < self.batch_size else rows - rows % self.batch_size

    def __iter__(self) -> Iterator[int]:
        offset = self.epoch * len(self._person)
        for row in self.order(self.epoch)[: len(self)]:
            yield offset + int(row)

    def order(self, epoch: int) -> np.ndarray:
        """Returns the order of an epoch: row numbers of shape `(rows,)`."""
        rng = np.random.default_rng([self.seed, epoch])
        shuffled = rng.permutation(len(self._person))
        # The round of a row is the number of rows of the same person before it in the shuffled order.
        by_person = shuffled[np.argsort(self._person[shuffled], kind="stable")]
        persons = self._person[by_person]
        starts = np.flatnonzero(np.r_[True, persons[1:] != persons[:-1]])
        rounds = np.arange(len(by_person)) - np.repeat(starts, np.diff(np.r_[starts, len(by_person)]))
        ordered_rounds: list[np.ndarray] = []
        for number in range(int(rounds.max()) + 1):
            rows = rng.permutation(by_person[rounds == number])
            if ordered_rounds:
                recent = np.concatenate(ordered_rounds)[-self.batch_size :]
                recently_used = np.isin(self._person[rows], self._person[recent])
                rows = np.concatenate([rows[~recently_used], rows[recently_used]])
            ordered_rounds.append(rows)
        return np.concatenate(ordered_rounds)

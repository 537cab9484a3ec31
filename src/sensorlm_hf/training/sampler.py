"""In which order days are seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch


class PersonSampler(torch.utils.data.Sampler[int]):
    """Shuffles days so that the days of one person lie far apart.

    A batch that holds two days of one person makes contrastive learning recognise people instead of days. Days are
    dealt out in rounds: each round shows one day of every person who has any left, in a fresh random order, and
    people who ended one round do not begin the next within `batch_size` places, where there are enough people.

    Yields `epoch * len(people) + row`, as [`SensorDayDataset`] wants it. The order depends on `(seed, epoch)` alone.

    Rows that do not fill a last batch are left out of the epoch (others in each), since a contrastive loss over a
    remainder of two or three days has hardly any negatives. A dataset smaller than one batch is given whole.

    Args:
        people: Subject id of every row.
        batch_size: Rows that are seen together, over all devices.
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
        """Chooses the epoch whose order the next iteration gives."""
        self.epoch = int(epoch)

    def __len__(self) -> int:
        rows = len(self._person)
        return rows if rows < self.batch_size else rows - rows % self.batch_size

    def __iter__(self) -> Iterator[int]:
        offset = self.epoch * len(self._person)
        for row in self.order(self.epoch)[: len(self)]:
            yield offset + int(row)

    def order(self, epoch: int) -> np.ndarray:
        """Returns the rows in the order of an epoch, shape `(rows,)`."""
        rng = np.random.default_rng([self.seed, epoch])
        shuffled = rng.permutation(len(self._person))
        # The round in which a row is shown: how many rows of the same person come before it in the shuffle.
        by_person = shuffled[np.argsort(self._person[shuffled], kind="stable")]
        persons = self._person[by_person]
        starts = np.flatnonzero(np.r_[True, persons[1:] != persons[:-1]])
        rounds = np.arange(len(by_person)) - np.repeat(starts, np.diff(np.r_[starts, len(by_person)]))
        pieces: list[np.ndarray] = []
        for number in range(int(rounds.max()) + 1):
            rows = rng.permutation(by_person[rounds == number])
            if pieces:
                recent = np.concatenate(pieces)[-self.batch_size :]
                late = np.isin(self._person[rows], self._person[recent])
                rows = np.concatenate([rows[~late], rows[late]])
            pieces.append(rows)
        return np.concatenate(pieces)

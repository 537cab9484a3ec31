"""Measurements that a second app or device writes again."""

from __future__ import annotations

import numpy as np

MIRROR_SECONDS = 30.0
"""Largest time between a measurement and its copy by another app."""


def mirrored_rows(seconds: np.ndarray, values: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Finds measurements that another source has with the same value at nearly the same time.

    The source with the most measurements keeps them; of the others, those that it has too are copies.

    Args:
        seconds: `(n,)` times.
        values: `(n,)` values without NaN.
        sources: `(n,)` names of apps or devices.

    Returns:
        `(n,)` bool: copies.
    """
    names, codes, counts = np.unique(sources.astype(str), return_inverse=True, return_counts=True)
    copies = np.zeros(len(seconds), dtype=bool)
    if len(names) < 2:
        return copies
    # One sorted key of value and time, so that neighbours with the same value are found by bisection.
    _, values_code = np.unique(values, return_inverse=True)
    span = float(seconds.max() - seconds.min()) + 4 * MIRROR_SECONDS
    keys = values_code * span + (seconds - seconds.min())
    kept = np.empty(0)
    for code in np.argsort(-counts, kind="stable"):
        mine = np.flatnonzero(codes == code)
        if len(kept):
            after = np.searchsorted(kept, keys[mine])
            distances = [np.abs(kept[np.clip(after + shift, 0, len(kept) - 1)] - keys[mine]) for shift in (-1, 0)]
            copies[mine] = np.minimum(*distances) <= MIRROR_SECONDS
        kept = np.sort(np.concatenate([kept, keys[mine[~copies[mine]]]]))
    return copies

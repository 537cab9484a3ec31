"""Embeddings of days as other devices would have recorded them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.device_profiles import PROFILES, DeviceProfile, apply_profile, get_profile, hidden_channels
from ..days import SensorDay
from .encode import Ranks, encode_days

Profile = str | DeviceProfile

ENGLISH_PROFILES = ("all", "heart_rate_steps")
"""Profiles of the task `english` of an evaluation; each needs the days to be embedded once."""


def days_seen(days: Sequence[SensorDay], profile: Profile) -> list[int]:
    """Returns the rows of the days on which a device with the given profile recorded anything.

    Raises:
        ValueError: If there is no such profile, or the schema of a day has none of its channels.
    """
    return [row for row, day in enumerate(days) if day.mask[:, ~hidden_channels(day, profile)].any()]


def available_profiles(
    days: Sequence[SensorDay], profiles: Sequence[Profile] = ENGLISH_PROFILES
) -> list[DeviceProfile]:
    """Returns the profiles with which at least one of the days has a value; days of any schema are allowed."""
    found = []
    for profile in map(get_profile, profiles):
        keys = set(profile.channels)
        known = [day for day in days if profile == PROFILES["all"] or keys.intersection(day.schema.keys)]
        if len(known) == len(days) and days_seen(days, profile):
            found.append(profile)
    return found


def encode_profile(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    profile: Profile,
    *,
    batch_size: int = 64,
    progress: bool = False,
    ranks: Ranks | None = None,
    what: str = "days",
) -> np.ndarray:
    """Embeds days as a device with the given profile would have recorded them.

    Args:
        model: A [`SensorLMModel`].
        processor: The processor of the model.
        days: The days.
        profile: Device profile, or its name.
        batch_size: Number of days per batch.
        progress: Whether to show a progress bar.
        ranks: Processes that share the work; by default this one does all of it.
        what: What the days are, for the progress bar.

    Returns:
        `(N, D)` float32 embeddings; rows of nan for days on which the device recorded nothing.

    Raises:
        ValueError: If there is no such profile, the schema of a day has none of its channels, no day has a value in one
            of them, or the processor does not match the model.
    """
    profile = get_profile(profile)
    seen = days_seen(days, profile)
    if not seen:
        raise ValueError(
            f"None of the {len(days)} days has a value in the channels of profile {profile.name!r}:"
            f" {', '.join(profile.channels)}."
        )
    rows = (ranks or Ranks()).map(
        # In batches: a masked copy of every day would need twice the memory.
        lambda batch: encode_days(
            model, processor, [apply_profile(day, profile) for day in batch], batch_size=batch_size
        ),
        [days[row] for row in seen],
        batch_size,
        progress=progress,
        description=f"Embedding {what}, {profile.description}",
    )
    embeddings = np.full((len(days), len(rows[0])), np.nan, dtype=np.float32)
    embeddings[seen] = np.stack(rows)
    return embeddings

"""Types of the everyday wordings of activities."""

from __future__ import annotations

from dataclasses import dataclass

NAP = "nap"
"""Name of a nap, which is a kind of sleep and has no entry of its own in the table of activities."""


@dataclass(frozen=True)
class ActivityPhrases:
    """Wordings of one activity or group; each fits a fixed slot of a sentence.

    They are lower case except for proper nouns, have no full stop, time of day, duration or date, and fit a subject of
    either number.

    Attributes:
        gerunds: Such as "lifting weights", for "They spent an hour ..." and "... in the evening".
        past: Such as "lifted weights", for "The wearer ..." and "I ...".
        nouns: Such as "a weights session", for "A day with ..." and "There was ...".
    """

    gerunds: tuple[str, ...]
    past: tuple[str, ...]
    nouns: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """All wordings, of the three forms in turn."""
        return (*self.gerunds, *self.past, *self.nouns)


@dataclass(frozen=True)
class ActivityGroup:
    """Activities that share wordings.

    Attributes:
        name: Name of the group.
        members: Names of its activities, or [`NAP`].
        phrases: Wordings that are true of each member.
    """

    name: str
    members: tuple[str, ...]
    phrases: ActivityPhrases

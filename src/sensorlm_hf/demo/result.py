"""What the demonstration found out about a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any


@dataclass(frozen=True)
class LabelScore:
    """A zero-shot label and its score; `logged` says whether the day's log names it."""

    label: str
    score: float
    logged: bool = False


@dataclass(frozen=True)
class NearestCaption:
    """A caption of the library: its rank (1 is the nearest), cosine similarity, and whether it is the day's own."""

    rank: int
    similarity: float
    caption: str
    own: bool


@dataclass
class DemoResult:
    """What a model says about one day.

    Attributes:
        sample_id: Name of the day.
        source: Where the day came from, such as `"simulated"`.
        model: Folder or Hub id of the model.
        demo_model: Whether that is the model that ships with the package, trained on simulated people.
        labels: All labels with their scores, which sum to 1, highest first.
        caption_key: Which caption the builder wrote.
        built_caption: The caption builder's, from the day's numbers and log.
        generated_caption: The model's, from the sensors alone; None if it has no decoder.
        nearest: The nearest captions of the library, and the day's own at the end if it is not among them; empty if the
            model has no text embedding.
        own_rank: Rank of the day's own caption in the library, 1 to `library_size`; None if there was no retrieval.
        library_size: Number of captions in the library, all different.
        embedding_shape: Shape of the day's embedding.
        embedding_norm: Its length.
        observed_minutes: `{channel key: minutes with a value}`, in schema order, channels without any included.
        window_minutes: Length of the window.
        seconds: `{stage: seconds}`, in the order of the stages.
        notes: Remarks, such as what a reader left out.
    """

    sample_id: str
    source: str
    model: str
    demo_model: bool
    labels: tuple[LabelScore, ...]
    caption_key: str
    built_caption: str
    generated_caption: str | None
    nearest: tuple[NearestCaption, ...]
    own_rank: int | None
    library_size: int
    embedding_shape: tuple[int, ...]
    embedding_norm: float
    observed_minutes: dict[str, int]
    window_minutes: int
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as plain JSON types."""
        return asdict(self)


class Stopwatch:
    """Measures stages and announces them.

    Attributes:
        seconds: `{stage: seconds}`; a stage that is measured again adds up.
    """

    def __init__(self, announce: Callable[[str], None] | None = None) -> None:
        """Takes a function that is called with the name of each stage when it begins."""
        self.seconds: dict[str, float] = {}
        self._announce = announce

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures what happens inside."""
        if self._announce is not None:
            self._announce(name)
        began = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - began

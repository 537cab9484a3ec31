"""Tells whoever shows progress which file is being read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[str], None] | None] = ContextVar("sensorlm_reading", default=None)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Calls a function with the name of each file that is opened in the context, in this thread or task."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def now_reading(name: str) -> None:
    """Tells the listener, if there is one, that a file is opened."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(name)

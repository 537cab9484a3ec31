"""One `evaluate` module a file; [`load_metric`] loads them from the installed package, without a network."""

from __future__ import annotations

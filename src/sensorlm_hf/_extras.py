"""Optional dependencies: a consistent error that names the extra to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PACKAGE = "sensorlm-hf"

_DISTRIBUTIONS = {"rouge_score": "rouge-score", "sklearn": "scikit-learn"}
"""PyPI names of modules whose import name differs."""


@contextmanager
def requires_extra(extra: str, purpose: str, alternative: str = "") -> Iterator[None]:
    """Wraps the import of optional dependencies.

    Args:
        extra: The extra of `sensorlm-hf` that installs them, as in `setup.cfg`.
        purpose: Feature that needs them, as the beginning of a sentence.
        alternative: Alternative for the caller.

    Raises:
        ImportError: If an import inside the block fails.

    Example:
        >>> with requires_extra("plot", "Plotting"):
        ...     import matplotlib
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(_message(extra, purpose, alternative, error), name=error.name, path=error.path) from error


def _message(extra: str, purpose: str, alternative: str, error: ImportError) -> str:
    module = (error.name or "").split(".")[0]
    package = _DISTRIBUTIONS.get(module, module)
    if package and isinstance(error, ModuleNotFoundError):
        needed = f"{package}, which is not installed"
    else:  # installed, but broken or incompatible
        needed = f"packages of the extra [{extra}], which failed to load ({str(error).rstrip('.')})"
    remedy = f"pip install '{PACKAGE}[{extra}]'"
    return f"{purpose} needs {needed}: {remedy}{f', or {alternative}' if alternative else ''}."

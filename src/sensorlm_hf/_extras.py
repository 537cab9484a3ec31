"""Optional packages: one error, wherever one is missing, that says which extra brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PACKAGE = "sensorlm-hf"

_DISTRIBUTIONS = {"rouge_score": "rouge-score", "sklearn": "scikit-learn"}
"""What pip calls the modules that it knows by another name."""


@contextmanager
def requires_extra(extra: str, purpose: str, alternative: str = "") -> Iterator[None]:
    """Wraps the import of optional packages.

    Args:
        extra: The extra of `sensorlm-hf` that installs them, as `setup.cfg` names it.
        purpose: What needs them, as the beginning of a sentence.
        alternative: What else the caller can do.

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
    else:  # installed, but damaged or of a version that does not fit
        needed = f"packages of the extra [{extra}], which failed to load ({str(error).rstrip('.')})"
    remedy = f"pip install '{PACKAGE}[{extra}]'"
    return f"{purpose} needs {needed}: {remedy}{f', or {alternative}' if alternative else ''}."

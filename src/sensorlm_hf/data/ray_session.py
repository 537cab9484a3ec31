"""Ray connections for the duration of a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._extras import requires_extra


def import_ray(what: str) -> Any:
    """Imports Ray and Ray Data.

    Args:
        what: The operation that needs it, such as `"Captioning"`.

    Raises:
        ImportError: If Ray is not installed.
    """
    with requires_extra("ray", f"{what} on a cluster"):
        import ray
        import ray.data
    return ray


@contextmanager
def ray_session(ray: Any, address: str, num_proc: int) -> Iterator[Any]:
    """Joins or starts a cluster and restores the previous state afterwards.

    Args:
        ray: Result of [`import_ray`].
        address: `"local"` for a cluster on this machine, otherwise `"auto"` or the address of one to join. An existing
            connection is reused and left open.
        num_proc: Number of CPUs of a local cluster.

    Yields:
        The Ray Data context, with progress bars disabled because callers count days, not blocks.

    Raises:
        ConnectionError: If there is no cluster at the address.
    """
    opened = not ray.is_initialized()
    if opened:
        options: dict[str, Any] = {"num_cpus": num_proc, "include_dashboard": False} if address == "local" else {}
        ray.init(address=address, log_to_driver=False, **options)
    context = ray.data.DataContext.get_current()
    bars = context.enable_progress_bars
    try:
        context.enable_progress_bars = False
        yield context
    finally:
        context.enable_progress_bars = bars
        if opened:
            ray.shutdown()

"""Loading of the packaged checkpoints by name, from any folder and offline.

`AutoModel.from_pretrained("sensorlm-coca")` and `pipeline(..., model="sensorlm-coca")` resolve to the packaged files.
User repositories on the Hub have a namespace (`you/sensorlm-coca`), so a name without a namespace cannot refer to
another model. A folder or file with that name in the working directory takes precedence, and so does the Hub if a
`revision` is requested, since packaged files have no revisions. All other names are passed through unchanged.

transformers has no hook for this, so the name is replaced by the path before transformers resolves it:

- in `from_pretrained` of the Auto classes and of the classes of this package. For a local path, transformers sends no
  requests to the Hub.
- in the functions that `transformers.pipeline` and the PEFT adapter loading call with a name: the file lookup and the
  commit lookup of a revision.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from typing import Any

from .checkpoints import packaged_checkpoint

_MARK = "_resolves_packaged_checkpoints"


def load_by_name(classes: Iterable[Any]) -> None:
    """Patches classes and `transformers.pipeline` to resolve the names of packaged checkpoints. Idempotent.

    Args:
        classes: Classes whose `from_pretrained` is patched; subclasses inherit it.
    """
    from transformers import feature_extraction_utils, modeling_utils, pipelines
    from transformers.models.auto import auto_factory
    from transformers.utils import hub

    functions = [(hub, "cached_files")]
    asking = (pipelines, auto_factory, feature_extraction_utils, modeling_utils)
    functions += [(module, "resolve_revision") for module in asking]

    for kind in classes:
        load = kind.from_pretrained.__func__
        if not hasattr(load, _MARK):
            kind.from_pretrained = classmethod(_loader(load))
    for module, name in functions:
        look_up = getattr(module, name)
        if not hasattr(look_up, _MARK):
            setattr(module, name, _lookup(look_up))


def _folder(name: Any, revision: Any) -> Any:
    """Returns the path of the packaged checkpoint called `name` if there is one, else `name`."""
    if not isinstance(name, str) or revision not in (None, "main"):
        return name
    return packaged_checkpoint(name) or name


def _loader(load: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(load)
    def from_pretrained(
        cls: Any, pretrained_model_name_or_path: str | os.PathLike | None, *args: Any, **kwargs: Any
    ) -> Any:
        folder = _folder(pretrained_model_name_or_path, kwargs.get("revision"))
        loaded = load(cls, folder, *args, **kwargs)
        if folder != pretrained_model_name_or_path:
            _restore_name(loaded, folder, str(pretrained_model_name_or_path))
        return loaded

    setattr(from_pretrained, _MARK, True)
    return from_pretrained


def _restore_name(loaded: Any, folder: str, name: str) -> None:
    """Stores the name instead of the path, since an adapter with a local path only loads on the same machine."""
    for part in loaded if isinstance(loaded, tuple) else (loaded,):
        owners: tuple[Any, ...] = (part, getattr(part, "config", None))
        for owner in owners:
            if getattr(owner, "name_or_path", None) == folder:
                owner.name_or_path = name


def _lookup(look_up: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(look_up)
    def with_packaged(path_or_repo_id: Any, *args: Any, **kwargs: Any) -> Any:
        return look_up(_folder(path_or_repo_id, kwargs.get("revision")), *args, **kwargs)

    setattr(with_packaged, _MARK, True)
    return with_packaged

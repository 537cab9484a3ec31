"""Models that compute their loss with or without labels, for `Trainer` too."""

import inspect
import types
from collections.abc import Callable
from typing import Any


class OptionalLabels(type):
    """Metaclass of models whose `forward` computes its loss with or without `labels`.

    `Trainer` reads two signatures. From the one of the class it takes the names of labels, and evaluates no loss for
    batches that lack one of them; without any name it evaluates the loss of every batch, if `return_loss` is True by
    default. By the one of the instance it keeps the columns of a dataset. So the class does not mention `labels`, and
    the instance does. `TrainingArguments(label_names=["labels"])` gives the labels to `compute_metrics`.

    A descriptor could do the same, but its `__get__` would be on the way of every call of an instance, where
    `torch.compile` does not stand it.
    """

    _forward_of_class: Callable[..., Any]

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(name, bases, namespace, **kwargs)
        if "forward" in namespace:
            cls._forward_of_class = staticmethod(_without_labels(namespace["forward"]))

    @property
    def forward(cls) -> Callable[..., Any]:
        """The method as an attribute of the class; instances have their own."""
        return cls._forward_of_class


def _without_labels(method: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the same function with a signature that does not mention the labels."""
    function: Any = types.FunctionType(
        method.__code__, method.__globals__, method.__name__, method.__defaults__, method.__closure__
    )
    function.__kwdefaults__, function.__doc__ = method.__kwdefaults__, method.__doc__
    function.__qualname__, function.__module__ = method.__qualname__, method.__module__
    function.__annotations__ = method.__annotations__
    function.__dict__.update(method.__dict__)
    signature = inspect.signature(method)
    function.__signature__ = signature.replace(
        parameters=[value for name, value in signature.parameters.items() if name != "labels"]
    )
    return function


__all__ = ["OptionalLabels"]

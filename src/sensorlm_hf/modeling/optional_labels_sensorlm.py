"""A forward method whose labels are optional for `Trainer` too."""

import inspect
import types
from collections.abc import Callable
from typing import Any


class OptionalLabels:
    """Decorator of a `forward` method that computes its loss with or without `labels`.

    `Trainer` reads two signatures. From the one of the class it takes the names of labels, and evaluates no loss for
    batches that lack one of them; without any name it evaluates the loss of every batch, if `return_loss` is True by
    default. By the one of the instance it keeps the columns of a dataset. So the class does not mention `labels`, and
    the instance does. `TrainingArguments(label_names=["labels"])` gives the labels to `compute_metrics`.

    Args:
        method: The method.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method
        of_class: Any = types.FunctionType(
            method.__code__, method.__globals__, method.__name__, method.__defaults__, method.__closure__
        )
        of_class.__kwdefaults__, of_class.__doc__ = method.__kwdefaults__, method.__doc__
        of_class.__qualname__, of_class.__module__ = method.__qualname__, method.__module__
        of_class.__annotations__ = method.__annotations__
        of_class.__dict__.update(method.__dict__)
        signature = inspect.signature(method)
        of_class.__signature__ = signature.replace(
            parameters=[value for name, value in signature.parameters.items() if name != "labels"]
        )
        self.of_class = of_class

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Returns the bound method, or the function of the class."""
        return self.of_class if instance is None else self.method.__get__(instance, owner)  # dynamo traces it


__all__ = ["OptionalLabels"]

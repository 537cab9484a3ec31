"""JSON and YAML that people and apps write: what is wrong with them, in one sentence that names the file."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import yaml

MAX_ITEMS = 1_000_000
"""Values that a YAML document may have once its aliases are followed."""

_MAX_DIGITS = 19
"""Integers with more digits than 64 bits have are read as floating-point numbers, as most programs do."""


_UNUSUAL = object()
_UNUSUAL_JSON = re.compile(r"\d{20}|\\u[dD][89a-fA-F]")


def parse_json(text: str, label: str) -> Any:
    """Parses JSON.

    Args:
        text: The document.
        label: How messages call the file.

    Returns:
        The value. Integers of more than 19 digits are floats, infinite if they are too large for one.

    Raises:
        ValueError: If it is not JSON, is nested deeper than the parser can follow, or contains half of a character; the
            message gives the line, if there is one.
    """
    data = _usual_json(text)
    if data is not _UNUSUAL:
        return data
    try:
        data = json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        cut = "" if text.rstrip().endswith(("]", "}")) else " The file seems to be truncated."
        raise ValueError(f"{label}, line {error.lineno}: not valid JSON: {error.msg}.{cut}") from None
    except RecursionError:
        raise ValueError(f"{label}: lists or objects are nested too deeply; export it again.") from None
    if "\\ud" in text or "\\uD" in text:
        _check_characters(data, label)
    return data


def parse_yaml(text: str, label: str) -> Any:
    """Parses YAML of plain types.

    Args:
        text: The document.
        label: How messages call the file.

    Raises:
        ValueError: If it is not YAML, is nested too deeply, contains itself, or its aliases make it larger than
            [`MAX_ITEMS`]; the message gives the line, if there is one.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ValueError(f"{label}{line}: not valid YAML: {problem}.") from None
    except RecursionError:
        raise ValueError(f"{label}: lists or mappings are nested too deeply.") from None
    except (ValueError, TypeError, OverflowError) as error:  # a date or number that does not exist
        raise ValueError(f"{label}: not valid YAML: {error}.") from None
    _check_size(data, label)
    return data


def value_type(value: Any) -> str:
    """Returns what a value of JSON or YAML is, in words for the person who has the file."""
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def _usual_json(text: str) -> Any:
    """Parses JSON with a faster parser; [`_UNUSUAL`] if it may contain what only the other parser handles."""
    if _UNUSUAL_JSON.search(text):
        return _UNUSUAL
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return _UNUSUAL


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _check_characters(data: Any, label: str) -> None:
    """Raises if a string contains a lone surrogate, which no file can store."""
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"{label}: contains half of a character (\\u{ord(half):04x}); export it again.") from None


def _check_size(data: Any, label: str) -> None:
    """Raises if following aliases does not end or gives too many values, which YAML of a few lines can do."""
    sizes: dict[int, int | None] = {}  # None while a value is being counted

    def size(value: Any) -> int:
        if not isinstance(value, (dict, list)):
            return 1
        known = sizes.get(id(value), 0)
        if known is None:
            raise ValueError(f"{label}: an alias refers to the value that contains it.")
        if not known:
            sizes[id(value)] = None
            inner = value.values() if isinstance(value, dict) else value
            known = sizes[id(value)] = 1 + sum(size(item) for item in inner)
        return known

    if size(data) > MAX_ITEMS:
        raise ValueError(f"{label}: its aliases expand to more than {MAX_ITEMS:,} values.")

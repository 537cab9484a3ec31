"""Streams the elements of Apple Health's `export.xml` one at a time, without building a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from .sources import Source

ELEMENTS = ("Record", "Workout")
"""Elements to yield."""

_CHUNK_BYTES = 1 << 20
_HEAD = 4096


@dataclass
class Element:
    """A record or workout.

    Attributes:
        tag: One of [`ELEMENTS`].
        attributes: Its attributes.
        line: Line of the file on which it starts.
        metadata: Its metadata entries, by key.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    metadata: dict[str, str] = field(default_factory=dict)


def find_export(source: Source) -> str | None:
    """Returns the name of the export file in a folder or zip; Apple localises it, so it is detected by content."""
    candidates = [name for name in source.names if name.lower().endswith(".xml") and name.count("/") <= 2]
    for name in sorted(candidates, key=lambda name: ("cda" in name.lower(), name.count("/"), name)):
        with source.open(name) as stream:
            if b"<HealthData" in (head := stream.read(_HEAD)) or b"DOCTYPE HealthData" in head:
                return name
    return None


def iter_elements(stream: IO[bytes], label: str) -> Iterator[Element]:
    """Yields the records and workouts of an export, in file order.

    Records nested in others (the two values of a blood pressure) are also listed at the top level, so only that level
    is read. Memory does not grow with the file: expat is fed a mebibyte at a time and nothing is kept.

    Args:
        stream: The file.
        label: Label of the file for messages.

    Raises:
        ValueError: If the XML is damaged, truncated or not an export; the message gives the line.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    ready: list[Element] = []
    open_tags: list[str] = []
    current: list[Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if not open_tags and tag != "HealthData":
            raise ValueError(
                f"{label}, line {parser.CurrentLineNumber}: not an Apple Health export: it starts with <{tag}> instead"
                " of <HealthData>."
            )
        if len(open_tags) == 1 and tag in ELEMENTS:
            current.append(Element(tag, attributes, parser.CurrentLineNumber))
        elif tag == "MetadataEntry" and len(open_tags) == 2 and current:
            current[-1].metadata[attributes.get("key", "")] = attributes.get("value", "")
        open_tags.append(tag)

    def end(tag: str) -> None:
        open_tags.pop()
        if len(open_tags) == 1 and current:
            ready.append(current.pop())

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    while True:
        try:
            chunk = stream.read(_CHUNK_BYTES)
        except (OSError, EOFError, RuntimeError) as error:
            raise ValueError(
                f"{label}: cannot be read further: {error}. The zip may be truncated; export it again."
            ) from None
        except Exception as error:  # zlib and zipfile have their own errors
            raise ValueError(f"{label}: cannot be read from the zip: {error}. Export it again.") from None
        try:
            parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            cut = " The file seems to be truncated; export it again." if not chunk else ""
            raise ValueError(
                f"{label}, line {error.lineno}: not valid XML: {expat.ErrorString(error.code)}.{cut}"
            ) from None
        yield from ready
        ready.clear()
        if not chunk:
            return

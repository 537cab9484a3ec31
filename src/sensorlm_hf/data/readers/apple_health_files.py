"""Streams the elements of Apple Health's `export.xml` one at a time, without building a tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from .archives import MemberStream
from .sources import Source

ELEMENTS = ("Record", "Workout")
"""Elements to yield."""

Damage = Callable[[int, str], None]
"""Takes the line and a description of a part of the file that cannot be read."""

_CHUNK_BYTES = 1 << 20
_HEAD = 4096
_RESUME = re.compile(rb"<(?:Record|Workout)[\s>/]")
_TAIL = 16  # longer than what `_RESUME` matches, which a chunk may cut
_CONTROL = bytes(code for code in range(32) if code not in (9, 10, 13))
_BLANKS = bytes.maketrans(_CONTROL, b" " * len(_CONTROL))
_ENCODING = re.compile(rb"""\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([^"'>]{0,60})["']""")
_ENCODINGS = (b"utf-8", b"iso-8859-1", b"us-ascii")
_DTD = re.compile(rb"<!DOCTYPE[^\[>]*\[.*?\]\s*>", re.DOTALL)


@dataclass(slots=True)
class Element:
    """A record or workout.

    Attributes:
        tag: One of [`ELEMENTS`].
        attributes: Its attributes.
        line: Line of the file on which it starts.
        metadata: Its metadata entries, by key.
        beats: Heart rates of single beats, of heart rate variabilities.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    metadata: dict[str, str] = field(default_factory=dict)
    beats: list[str] = field(default_factory=list)


def find_export(source: Source) -> str | None:
    """Returns the name of the export file in a folder or zip; Apple localises it, so it is detected by content.

    Raises:
        ValueError: If the folder contains several exports in different archives.
    """
    candidates = [name for name in source.names if name.lower().endswith(".xml") and name.count("/") <= 3]
    found = []
    for name in sorted(candidates, key=lambda name: ("cda" in name.lower(), name.count("/"), name)):
        with source.open(name) as stream:
            if b"<HealthData" in (head := stream.read(_HEAD)) or b"DOCTYPE HealthData" in head:
                found.append(name)
    source.check_one_export(found, "Apple Health")
    return found[0] if found else None


def iter_elements(stream: IO[bytes] | MemberStream, label: str, damage: Damage) -> Iterator[Element]:
    """Yields the records and workouts of an export, in file order.

    Records nested in others (the two values of a blood pressure) are also listed at the top level, so only that level
    is read. Memory does not grow with the file: expat is fed a mebibyte at a time and nothing is kept. The document
    type, which iOS 16 writes with errors, is not read; after damaged XML, reading goes on at the next record.

    Args:
        stream: The file.
        label: Label of the file for messages.
        damage: Called for each part that cannot be read.

    Raises:
        ValueError: If the file is not an export, contains no readable element, or its zip is damaged; the message gives
            the line.
    """
    reader = _Elements(label, damage)
    while chunk := _read(stream, label):
        reader.feed(chunk)
        yield from reader.ready
        reader.ready.clear()
    reader.finish()
    yield from reader.ready


def _read(stream: IO[bytes] | MemberStream, label: str) -> bytes:
    try:
        return stream.read(_CHUNK_BYTES)
    except OSError as error:
        raise ValueError(f"{label}: cannot be read further: {error.strerror or error}. Export it again.") from None


class _Elements:
    """Feeds chunks to expat, and starts a new parser at the next record after an error.

    Attributes:
        ready: Elements that have been read.
    """

    def __init__(self, label: str, damage: Damage) -> None:
        self.label, self.damage = label, damage
        self.ready: list[Element] = []
        self.depth = 0  # of open elements
        self.current: list[Element] = []
        self.read_any = False
        self.skipping = False
        self.held = b""  # the end of the last chunk while skipping, and before that the head of the file
        self.lines = 0  # newlines before the data that is fed
        self.first_error = ""
        self.head = True
        self.encoding: str | None = None  # as the file says
        self._new_parser(0)

    def _new_parser(self, lines_before: int) -> None:
        self.parser = expat.ParserCreate(self.encoding)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.line_base, self.fed = lines_before, 0
        self.depth = 0

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        depth = self.depth
        self.depth += 1
        if depth == 1:
            if tag in ELEMENTS:
                self.current.append(Element(tag, attributes, self.parser.CurrentLineNumber + self.line_base))
        elif depth == 0:
            self._check_root(tag)
        elif self.current and depth == 2 and tag == "MetadataEntry":
            self.current[-1].metadata[attributes.get("key", "")] = attributes.get("value", "")
        elif self.current and tag == "InstantaneousBeatsPerMinute":
            self.current[-1].beats.append(attributes.get("bpm", ""))

    def _check_root(self, tag: str) -> None:
        if tag != "HealthData":
            hint = " Give the export.xml that is exported beside it." if tag == "ClinicalDocument" else ""
            raise ValueError(
                f"{self.label}, line {self.parser.CurrentLineNumber + self.line_base}: not an Apple Health export: it"
                f" starts with <{tag}> instead of <HealthData>.{hint}"
            )

    def _end(self, tag: str) -> None:
        self.depth -= 1
        if self.depth == 1 and self.current:
            self._emit()

    def _emit(self) -> None:
        self.ready.append(self.current.pop())
        self.read_any = True

    def feed(self, chunk: bytes) -> None:
        """Parses the next part of the file."""
        controls = len(chunk) - len(chunk.translate(None, _CONTROL))
        if controls:
            self.damage(self.lines + 1, f"{controls} control characters, read as blanks")
            chunk = chunk.translate(_BLANKS)
        if self.head:
            named = _ENCODING.match(chunk)
            if named is not None and named[1].lower() not in _ENCODINGS:
                self.damage(1, "an encoding that XML parsers do not know; read as UTF-8")
                self.encoding = "UTF-8"
                self._new_parser(0)
            # The lines stay, so that messages give the line in the file.
            dtd = _DTD.match(chunk, max(chunk.find(b"<!DOCTYPE"), 0))
            if dtd is not None:
                chunk = chunk[: dtd.start()] + b"\n" * dtd[0].count(b"\n") + chunk[dtd.end() :]
            self.head = False
        data = self.held + chunk
        self.held = b""
        if self.skipping:
            data = self._resume(data, 0)
        while data:
            try:
                self.parser.Parse(data, False)
            except expat.ExpatError as error:
                place = max(self.parser.ErrorByteIndex - self.fed, 0)
                self._note(error)
                data = self._resume(data, min(place + 1, len(data)))
            else:
                self.fed += len(data)
                self.lines += data.count(b"\n")
                return

    def _note(self, error: expat.ExpatError, cut: str = "") -> None:
        line = error.lineno + self.line_base
        text = f"not valid XML: {expat.ErrorString(error.code)}.{cut}"
        self.first_error = self.first_error or f"{self.label}, line {line}: {text}"
        self.damage(line, text)
        if self.current and self.current[-1].attributes:  # they were complete
            self._emit()
        self.current.clear()

    def _resume(self, data: bytes, place: int) -> bytes:
        """Returns the data from the next record on, for a new parser; empty, if there is none yet."""
        match = _RESUME.search(data, place)
        begin = match.start() if match else max(len(data) - _TAIL, place)
        self.lines += data.count(b"\n", 0, begin)
        if match is None:
            self.skipping, self.held = True, data[begin:]
            return b""
        self.skipping = False
        self._new_parser(self.lines)
        prefix = b"<HealthData>"
        self.parser.Parse(prefix, False)
        self.fed = len(prefix)
        return data[begin:]

    def finish(self) -> None:
        """Ends the file.

        Raises:
            ValueError: If no element could be read because of an error.
        """
        if not self.skipping:
            try:
                self.parser.Parse(b"", True)
            except expat.ExpatError as error:
                self._note(error, " The file seems to be truncated; export it again.")
        if self.first_error and not self.read_any:
            raise ValueError(self.first_error)

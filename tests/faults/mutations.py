"""Damages recordings at the level of bytes, lines, tokens, structure and files; a number names a mutation of a seed."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import runpy
import sqlite3
import struct
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Damage = Callable[[bytes, random.Random], bytes]

checksum: Callable[[bytes], int] = runpy.run_path(str(Path(__file__).parents[1] / "data" / "readers" / "fit_files.py"))[
    "checksum"
]

NUMBERS = (
    *("", " ", "-1", "0", "-0", "NaN", "nan", "inf", "-Infinity", "1e309", "1e-320", "1" + "0" * 400, "9" * 19),
    *("18446744073709551616", "-9223372036854775809", "253402300800", "1e18", "0x10", "1_0", "1,5", "١٢", "½", "null"),
    *("true", "[]", "{}", "2147483648", "4294967296", "65536", "99999", "1.7976931348623157e308"),
)
TEXTS = (
    *("", " ", "\x00", "\\ud800", "\ufeff", "../../x", "/etc/passwd", "<script>alert(1)</script>", "=1+1", "| a | b |"),
    *("---", "\\n---\\n", "🏃", "\u202egnp", "ﬁ", "a" * 70_000, "%s%n", "{0.__class__}", "None", "NaT", "con"),
)
TIMES = (
    *("0000-00-00", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "9999-12-31T23:59:59-12:00", "2024-02-30", "12345"),
    *("2024-03-31T02:30:00", "1900-01-01 00:00:00", "2024-03-01T24:00:00", "2024-03-01T08:00:60Z", "-2024-03-01"),
    *("2024-03-01T08:00:00+99:99", "2024-13-01", "24/03/01", "2262-04-12T00:00:00Z", "1677-09-21T00:00:00", "now"),
)
ZONES = ("../../x", "/etc/localtime", "Europe", "posixrules", "Europe/Berlin\\u0000", "", "UTC+99:99", "Factory", "🏃")

_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_TEXT = re.compile(rb"(?<=\")[^\"\n]{1,80}(?=\")|(?<=[,;\n])[A-Za-z][\w ()%]{1,40}(?=[,;\n])")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?|\d\d?/\d\d?/\d{2,4}")
_ZONE = re.compile(rb"Europe/Berlin|UTC[+-]\d\d:\d\d|[+-]\d\d:?\d\d(?=[\",\n])")


# Bytes


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data)) if data else 0


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :] if data else b"\x00"


def set_bytes(data: bytes, rng: random.Random) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 1, 2, 4, 16, 300))
    value = rng.choice((b"\x00", b"\xff", bytes([rng.randrange(256)]), b"\x80", b"\r"))
    return data[:at] + value * min(length, len(data) - at) + data[at + length :]


def delete_bytes(data: bytes, rng: random.Random) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 1, 2, 7, 64, 500))
    return data[:at] + data[at + length :]


def repeat_bytes(data: bytes, rng: random.Random) -> bytes:
    at, length, times = _place(data, rng), rng.choice((1, 3, 50, 400)), rng.choice((1, 2, 40))
    return data[:at] + data[at : at + length] * times + data[at:]


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.choice((0, 1, 3, _place(data, rng), _place(data, rng), max(len(data) - 1, 0)))]


def insert_bytes(data: bytes, rng: random.Random) -> bytes:
    at = rng.choice((0, _place(data, rng), len(data)))
    parts = (b"\x00" * 8, b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\x1a", b"\r\r\n", rng.randbytes(40), b'"')
    return data[:at] + rng.choice(parts) + data[at:]


def encode(data: bytes, rng: random.Random) -> bytes:
    name = rng.choice(("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp037", "utf-7", "cp1252"))
    return data.decode("latin-1").encode(name, errors="replace")


def number_of_bytes(data: bytes, rng: random.Random) -> bytes:
    """A 32-bit length, count or offset somewhere becomes an extreme one."""
    at = _place(data, rng)
    value = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, len(data), 0x00FFFFFF))
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


BYTES: tuple[Damage, ...] = (flip_bit, set_bytes, delete_bytes, repeat_bytes, truncate, insert_bytes)
BYTES += (encode, number_of_bytes)


# Lines


def _lines(change: Callable[[list[bytes], int, random.Random], list[bytes]]) -> Damage:
    def damage(data: bytes, rng: random.Random) -> bytes:
        lines = data.split(b"\n")
        return b"\n".join(change(lines, rng.randrange(len(lines)), rng))

    damage.__name__ = change.__name__
    return damage


def delete_line(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    return lines[:at] + lines[at + 1 :]


def repeat_line(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    return lines[:at] + [lines[at]] * rng.choice((2, 2, 60)) + lines[at + 1 :]


def shuffle_lines(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    return rng.sample(lines, len(lines))


def cut_line(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    return [*lines[:at], lines[at][: _place(lines[at], rng)], *lines[at + 1 :]]


def empty_line(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    return [*lines[:at], *[rng.choice((b"", b" ", b",,,,", b"\x00", b"#"))] * rng.choice((1, 30)), *lines[at:]]


def long_line(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    return [*lines[:at], lines[at] + rng.choice((b"a", b",", b'"', b"9", b"(", b" ")) * 150_000, *lines[at + 1 :]]


def keep_one_line(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    return [lines[at]]


def join_lines(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    return [b"\r".join(lines)] if rng.random() < 0.5 else [line + b"\r" for line in lines]


def swap_delimiters(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    old, new = rng.sample((b",", b";", b"\t", b"|", b"."), 2)
    return (
        [line.replace(old, new) for line in lines]
        if rng.random() < 0.5
        else [
            *lines[:at],
            lines[at].replace(old, new),
            *lines[at + 1 :],
        ]
    )


def column(lines: list[bytes], at: int, rng: random.Random) -> list[bytes]:
    """A column of a table is lost, doubled or emptied."""
    cells = [line.split(b",") for line in lines]
    place, what = rng.randrange(max(len(cells[0]), 1)), rng.randrange(3)
    for row in cells:
        if place < len(row):
            row[place : place + 1] = ([], [row[place]] * 2, [b""])[what]
    return [b",".join(row) for row in cells]


LINES = tuple(
    map(_lines, (delete_line, repeat_line, shuffle_lines, cut_line, empty_line, long_line, keep_one_line, join_lines))
)
LINES += tuple(map(_lines, (swap_delimiters, column)))


# Tokens


def _tokens(pattern: re.Pattern[bytes], values: tuple[str, ...], name: str) -> Damage:
    def damage(data: bytes, rng: random.Random) -> bytes:
        found = list(pattern.finditer(data))
        if not found:
            return flip_bit(data, rng)
        value = rng.choice(values).encode()
        for match in reversed(rng.sample(found, min(len(found), rng.choice((1, 1, 1, 3))))):
            data = data[: match.start()] + value + data[match.end() :] if match.end() <= len(data) else data
        return data

    damage.__name__ = name
    return damage


TOKENS = (
    _tokens(_NUMBER, NUMBERS, "number"),
    _tokens(_TEXT, TEXTS, "text"),
    _tokens(_TIME, TIMES, "time"),
    _tokens(_ZONE, ZONES, "zone"),
)


# Structure


def json_structure(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.15:
        deep = rng.choice((100, 1_000, 100_000))
        return rng.choice((b"[" * deep + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep, b"[" * deep))
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):  # it was damaged before
        return delete_bytes(data, rng)
    spots: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            spots.append((value, key))
            walk(value[key])

    walk(tree)
    if not spots:
        return b"null"
    held, key = rng.choice(spots)
    values: tuple[Any, ...] = (None, True, -1, 0, 1e300, 10**400, "", "x", "NaN", float("nan"), [], {}, [[]], [None])
    values += ({"a": 1}, ["x"] * 3, "\ud800", "2024-03-01", "\x00", -(2**63) - 1, 2**64, 0.5, held[key])
    what = rng.randrange(6)
    if what == 0:
        del held[key]
    elif what == 1 and isinstance(held, dict):
        held[str(rng.choice(("", "x", "\ud800", str(key) * 2, str(key).upper())))] = held.pop(key)
    elif what == 2 and isinstance(held[key], (list, dict)):
        return json.dumps(held[key]).encode()  # only a part of the tree
    else:
        held[key] = rng.choice(values)
    return json.dumps(tree, ensure_ascii=rng.random() < 0.7).encode("utf-8", "surrogatepass")


def xml_structure(data: bytes, rng: random.Random) -> bytes:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    )
    what = rng.randrange(7)
    if what == 0:
        name = rng.choice((b"UTF-99", b"x-mac", b"UTF-16", b"ascii", b"", b"\xff", b"utf-7", b"rot13", b"idna"))
        return re.sub(rb"^<\?xml[^>]*\?>", b'<?xml version="1.0" encoding="' + name + b'"?>', data)
    if what == 1:
        body = re.sub(rb"^<\?xml[^>]*\?>\s*|<!DOCTYPE[^[]*\[.*?\]>\s*", b"", data, flags=re.DOTALL)
        return f"{bomb}]>".encode() + body.replace(b"60", b"&j;", 1).replace(b"Running", b"&j;", 1)
    if what == 2:
        tag = rng.choice((b"<a>", b"<Record>", b"<trk>"))
        at = data.find(b">", _place(data, rng)) + 1
        return data[:at] + tag * rng.choice((100, 60_000)) + data[at:]
    if what == 3:
        found = list(re.finditer(rb"<[^>]+>", data))
        match = rng.choice(found)
        return data[: match.start()] + data[match.end() :]
    if what == 4:
        found = list(re.finditer(rb' \w+="[^"]*"', data))
        match = rng.choice(found)
        return data[: match.start()] + rng.choice((b"", match[0] * 2)) + data[match.end() :]
    if what == 5:
        entity = rng.choice((b"&#0;", b"&#xD800;", b"&lt", b"&unknown;", b"<![CDATA[", b"]]>", b"<!--", b"<?x "))
        at = _place(data, rng)
        return data[:at] + entity + data[at:]
    return re.sub(rb"^<\?xml[^>]*\?>\s*", b"", data) + rng.choice((data, b"<x/>", b"\x00"))


def zip_structure(data: bytes, rng: random.Random) -> bytes:
    """Damages a member's compressed data, a header, or writes the archive again with hostile members."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
            starts = [info.header_offset for info in archive.infolist()]
    except Exception:  # it was damaged before
        return delete_bytes(data, rng)
    what = rng.randrange(7)
    if what == 0 and starts:
        at = rng.choice(starts) + 60 + rng.randrange(60)
        return data[:at] + rng.randbytes(6) + data[at + 6 :]
    if what == 1:
        at = data.rfind(b"PK\x01\x02") + rng.choice((8, 10, 16, 20, 24, 28, 42))
        return data[:at] + rng.randbytes(2) + data[at + 2 :]
    if what == 2:
        at = data.rfind(b"PK\x05\x06") + rng.choice((4, 8, 10, 12, 16))
        return data[:at] + rng.choice((b"\xff\xff", b"\x00\x00")) + data[at + 2 :]
    if not members:
        return delete_bytes(data, rng)
    name = rng.choice(list(members))
    if what == 3:
        hostile = ("../../x", "/etc/x", "a/../../x", "C:\\x", "x\x01", "a" * 300, ".", "con.csv", "a\n.csv", "‮gpj.csv")
        members[rng.choice(hostile) + rng.choice(("", name))] = members[name]
    elif what == 4:
        members[name] = damage_file(name, members[name], rng)[0]
    elif what == 5:
        members[name] = members[name] + b"\n" * rng.choice((1 << 20, 1 << 26))  # expands a thousand times
    else:
        members.pop(name)
    held = io.BytesIO()
    with zipfile.ZipFile(
        held, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_STORED))
    ) as archive:
        for member, content in members.items():
            info = zipfile.ZipInfo(member, (2024, 3, 1, 0, 0, 0))
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
            if rng.random() < 0.2:
                archive.writestr(info, content, zipfile.ZIP_DEFLATED)  # the same name twice
    return held.getvalue()


def gzip_structure(data: bytes, rng: random.Random) -> bytes:
    try:
        content = gzip.decompress(data)
    except Exception:  # it was damaged before
        return delete_bytes(data, rng)
    what = rng.randrange(4)
    if what == 0:
        return gzip.compress(content + b"\n" * (1 << 26), mtime=0)
    if what == 1:
        return data + rng.choice((data, b"\x00" * 5, b"junk"))
    if what == 2:
        return gzip.compress(data, mtime=0)
    return gzip.compress(damage_file("a.csv", content, rng)[0], mtime=0)


def npy_structure(data: bytes, rng: random.Random) -> bytes:
    header = data[10 : 10 + struct.unpack("<H", data[8:10])[0]] if len(data) > 10 else b""
    changes = (
        (b"(1440, 26)", b"(10000000000000, 26)"), (b"(1440, 26)", b"(-1, 26)"), (b"(1440, 26)", b"()"),
        (b"(1440, 26)", b"(1440, 26.0)"), (b"(1440, 26)", b"((1440, 26)"), (b"'<f4'", b"'|O'"), (b"'<f4'", b"'>f4'"),
        (b"'<f4'", b"'<c16'"), (b"'<f4'", b"'S4'"), (b"'<f4'", b"'<f99'"), (b"'<f4'", b"[('a','<f4')]"),
        (b"False", b"True"), (b"False", b"exit()"), (b"{", b"{" * 3000), (b"}", b""), (b"descr", b"des\x00r"),
        (b"'shape'", b"'shap'"), (b"(1440, 26)", b"(26, 1440)"), (b"(1440, 26)", b"(1, 1440, 26)"), (b"'<f4'", b"'<M8[s]'"),  # noqa: E501
    )  # fmt: skip
    old, new = rng.choice(changes)
    changed = header.replace(old, new)
    return data[:8] + struct.pack("<H", min(len(changed), 65535)) + changed[:65535] + data[10 + len(header) :]


def sql_structure(data: bytes, rng: random.Random) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.db")
        path.write_bytes(data)
        try:
            with closing(sqlite3.connect(path)) as connection, connection:
                tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                table = rng.choice(tables)
                columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
                name = rng.choice(columns)
                values = (
                    "'text'",
                    "NULL",
                    "x'00ff'",
                    "9e999",
                    "-9223372036854775808",
                    "''",
                    "1e300",
                    "'2024'",
                    "'NaN'",
                )
                statement = rng.choice(
                    (
                        f'DROP TABLE "{table}"',
                        f'ALTER TABLE "{table}" DROP COLUMN "{name}"',
                        f'ALTER TABLE "{table}" RENAME COLUMN "{name}" TO "x; DROP TABLE y"',
                        *[f'UPDATE "{table}" SET "{name}" = {rng.choice(values)} WHERE rowid = 1'] * 4,
                        f'UPDATE "{table}" SET "{name}" = {rng.choice(values)}',
                        f'DELETE FROM "{table}"',
                        f'ALTER TABLE "{table}" RENAME TO "other"',
                        f'CREATE VIEW v AS SELECT * FROM "{table}"',
                    )
                )
                connection.execute(statement)
        except (sqlite3.Error, IndexError):
            return number_of_bytes(data, rng)
        return path.read_bytes()


def fit_structure(data: bytes, rng: random.Random) -> bytes:
    """Changes messages, and makes the checksums right again, so that the content is read."""
    body = bytearray(data[14:-2])
    for _ in range(rng.choice((1, 1, 4))):
        if body:
            body[rng.randrange(len(body))] = rng.choice((0, 0xFF, 0x7F, rng.randrange(256)))
    if rng.random() < 0.2:
        del body[rng.randrange(len(body) or 1) :]
    header = data[:4] + struct.pack("<I", len(body)) + data[8:12]
    header += struct.pack("<H", checksum(header))
    return header + bytes(body) + struct.pack("<H", checksum(header + bytes(body)))


def parquet_structure(data: bytes, rng: random.Random) -> bytes:
    """Writes the table again with another type, name, order or number of columns or rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except Exception:  # it was damaged before
        return number_of_bytes(data, rng)
    place = rng.randrange(table.num_columns)
    name, rows = table.column_names[place], table.num_rows
    columns: tuple[Any, ...] = (
        pa.nulls(rows),
        pa.array([b"\xff\xfe"] * rows),
        pa.array([[1.0, 2.0]] * rows),
        pa.array([{"a": 1}] * rows),
        pa.array([2**62] * rows, pa.timestamp("ns")),
        pa.array([2**40] * rows, pa.date64()),
        pa.array(["x"] * rows).dictionary_encode(),
        pa.array([float("inf")] * rows),
        pa.array([None, *["\x00" * 9] * (rows - 1)]),
        pa.array([10**30] * rows, pa.decimal128(38, 2)),
        pa.array([True] * rows),
        pa.array([[[1.0]]] * rows),
    )
    what = rng.randrange(5)
    if what == 0:
        table = table.remove_column(place)
    elif what == 1:
        table = table.rename_columns(
            [rng.choice(("", "values", "x\n", name.upper())) if n == name else n for n in table.column_names]
        )
    elif what == 2:
        table = rng.choice(
            (table.slice(0, 0), pa.concat_tables([table] * 30), table.append_column(name, table.column(place)))
        )
    else:
        table = table.set_column(place, name, rng.choice(columns))
    held = io.BytesIO()
    pq.write_table(table, held, compression=rng.choice(("snappy", "zstd", "gzip", "none")))
    return held.getvalue()


STRUCTURES: dict[str, Damage] = {
    **dict.fromkeys((".json", ".jsonl"), json_structure),
    **dict.fromkeys((".xml", ".tcx", ".gpx"), xml_structure),
    **dict.fromkeys((".zip", ".xlsx"), zip_structure),
    **dict.fromkeys((".gz", ".tgz"), gzip_structure),
    **dict.fromkeys((".db", ".agd"), sql_structure),
    ".parquet": parquet_structure,
    ".fit": fit_structure,
    ".npy": npy_structure,
}


def damage_file(name: str, data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Damages one file at a level that its type has; returns its new content and what was done."""
    structure = STRUCTURES.get(Path(name).suffix.lower())
    text = Path(name).suffix.lower() in (".csv", ".json", ".jsonl", ".xml", ".tcx", ".gpx", ".yaml")
    levels: list[tuple[str, tuple[Damage, ...]]] = [("byte", BYTES)]
    if text:
        levels += [("line", LINES), ("token", TOKENS), ("token", TOKENS)]
    if structure is not None:
        levels += [("structure", (structure,))] * 2
    level, choices = rng.choice(levels)
    damage = rng.choice(choices)
    return damage(data, rng), f"{level}/{damage.__name__} of {name}"


# Files

LINKS = ("fifo", "socket", "device", "loop", "folder", "outside")


@dataclass(frozen=True)
class Mutated:
    """A damaged recording.

    Attributes:
        files: Content by path.
        links: What else is there: `{path: one of LINKS}`, in place of a file or beside the others.
        what: What was done, for people.
    """

    files: dict[str, bytes]
    links: dict[str, str]
    what: str


def damage_tree(files: dict[str, bytes], rng: random.Random, single: bool) -> Mutated:
    """Removes, moves, doubles or replaces files."""
    held, name = dict(files), rng.choice(list(files))
    what = rng.randrange(2 if single else 7)
    if what == 0:
        kind = rng.choice(LINKS)
        if not single and rng.random() < 0.5:
            name = f"beside/{name}"
        held.pop(name, None)
        return Mutated(held, {name: kind}, f"file/{kind} at {name}")
    if what == 1:
        held[name] = rng.choice((b"", b"\x00" * 64, b"\n", b"PK\x03\x04", b"SQLite format 3\x00", rng.randbytes(200)))
        return Mutated(held, {}, f"file/replaced {name}")
    if what == 2:
        held.pop(name)
    elif what == 3:
        folder, _, base = name.rpartition("/")
        odd = rng.choice((base.upper(), f"._{base}", f" {base}", base + "~", f"a\n{base}", f"🏃{base}", f"<b>{base}"))
        held[f"{folder}/{odd}".lstrip("/")] = held.pop(name)
    elif what == 4:
        held[f"copy/{name}"] = held[name]
    elif what == 5:
        held[("d/" * 40) + name] = held.pop(name)
    else:
        other = rng.choice(list(files))
        held[name], held[other] = held[other], held[name]
    return Mutated(held, {}, f"file/{('', '', 'removed', 'renamed', 'twice', 'deep', 'swapped')[what]} {name}")


def mutate(name: str, number: int, files: dict[str, bytes], *, single: bool = False) -> Mutated:
    """Returns the mutation of a number of a seed: one damage, or for every fifth number two.

    Args:
        name: Name of the seed.
        number: Number of the mutation; the same number gives the same bytes.
        files: The seed's files.
        single: Whether the recording is one file, which keeps its name.
    """
    rng = random.Random(f"{name}:{number}")
    if rng.random() < 0.12:
        return damage_tree(files, rng, single)
    held, done = dict(files), []
    for _ in range(2 if number % 5 == 0 else 1):
        target = rng.choice(list(held))
        held[target], what = damage_file(target, held[target], rng)
        done.append(what)
    return Mutated(held, {}, "; ".join(done))

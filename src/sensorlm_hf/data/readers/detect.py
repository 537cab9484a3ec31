"""Detects the type of a recording and reads it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...days import SensorDay
from ...io import check_file
from ...schema import SchemaLike
from .apple_health import read_apple_health
from .apple_health_files import find_export
from .archives import ARCHIVE_SUFFIXES, TAR_SUFFIXES
from .devices import DEVICES, detect_device
from .e4 import find_sessions, read_e4
from .embraceplus import is_embraceplus, read_embraceplus
from .fitbit import classify, read_fitbit
from .foreign_files import FOREIGN, foreign_hint
from .mmash import is_mmash_folder, read_mmash
from .mmash_files import SCORES
from .quality import ReadReport, finish
from .sources import Source
from .table import TABLE_SUFFIXES, TableLike, is_dataset_dict, read_table, table_options
from .table_folders import read_folder, read_zip
from .table_mapping import TableMapping, load_mapping, with_overrides

SOURCES = ("fitbit", "mmash", "e4", "embraceplus", "apple-health", "table", *DEVICES)
"""Source types supported by [`read_any`]."""

LABEL_TYPES: dict[str, dict[str, float | str]] = {
    "fitbit": {"resting_heart_rate": 0.0},
    "apple-health": {"resting_heart_rate": 0.0},
    "mmash": {**dict.fromkeys(SCORES, 0.0), "gender": ""},
    **{kind: dict.fromkeys(export.labels, 0.0) for kind, (export, _) in DEVICES.items()},
}
"""An example of each optional label that days of a source may have."""


def detect_source(path: str | os.PathLike, *, mapped: bool = False) -> str:
    """Detects the source type of a path.

    Args:
        path: A Fitbit or Apple Health export (folder or zip), the export of another device in [`DEVICES`], an MMASH
            folder, sessions of an Empatica E4, biomarkers of an EmbracePlus, or a table file or a folder above such
            files.
        mapped: Whether the columns have a mapping, so that tables of devices are read as tables.

    Returns:
        One of [`SOURCES`].

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If it is none of these; the message lists the supported files.
    """
    path = Path(path)
    if not path.exists():
        if path.is_symlink():
            check_file(path)
        raise FileNotFoundError(f"There is no folder or file at {path}.")
    titles = ", ".join(export.title for export, _ in DEVICES.values())
    device = None if mapped else detect_device(path)
    if device is not None:
        return device
    if path.is_file():
        if path.name.lower().endswith(TABLE_SUFFIXES):
            return "table"
        if path.suffix.lower() == ".xml":
            return "apple-health"
        if path.suffix.lower() in FOREIGN and not path.name.lower().endswith(TAR_SUFFIXES):
            raise ValueError(f"{path} is {FOREIGN[path.suffix.lower()]}.")
        if not _is_archive(path):
            raise ValueError(
                f"{path} is not a supported source: give a table ({', '.join(TABLE_SUFFIXES)}), a Fitbit or Apple"
                f" Health export (folder or zip), an export of {titles}, or a folder of MMASH, Empatica E4 or"
                " EmbracePlus recordings."
            )
    if path.is_dir() and (is_mmash_folder(path) or any(p.is_dir() and is_mmash_folder(p) for p in path.iterdir())):
        return "mmash"
    with Source(path) as source:
        if is_embraceplus(source):
            return "embraceplus"
        if any(classify(name) for name in source.names):
            return "fitbit"
        if find_export(source) is not None:
            return "apple-health"
        names, unreadable = source.names, source.unreadable
    if find_sessions(path):
        return "e4"
    if any(name.lower().endswith(TABLE_SUFFIXES) for name in names if ".zip/" not in name):
        return "table"
    held, hint = len(names), foreign_hint(names, unreadable)
    raise ValueError(
        f"Nothing readable in {path} ({held} files).{hint} Looked for a Fitbit export (heart_rate-YYYY-MM-DD.json,"
        " steps-YYYY-MM-DD.json, ...), an Apple Health export (export.xml), MMASH (user_N/Actigraph.csv, RR.csv),"
        " Empatica E4 sessions (ACC.csv, BVP.csv, EDA.csv, ...), EmbracePlus biomarkers (eda.csv, pulse-rate.csv, ...),"
        f" exports of {titles}, and tables ({', '.join(TABLE_SUFFIXES)})."
    )


def read_any(
    source: TableLike,
    *,
    kind: str | None = None,
    timezone: str | tzinfo | None = None,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str | None = None,
    mapping: TableMapping | Mapping[str, Any] | str | os.PathLike | None = None,
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads a recording of any supported type; see the individual readers, such as [`read_fitbit`].

    Args:
        source: Path, DataFrame, `datasets` dataset or array.
        kind: One of [`SOURCES`]; detected by default.
        timezone: Local time zone. Required, except for MMASH (`"Europe/Rome"`), tables whose times contain one and
            Apple Health exports whose sleep or workout records do.
        schema: Schema of the days.
        subject_id: Subject id, for sources that do not contain one.
        day_start: Local time at which windows start; not for MMASH, whose window starts with the recording.
        mapping: Column mapping; for tables only.
        report: Collects what was used, dropped or unusual.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        The days of the source.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If the source type is unknown, or the source is damaged.
    """
    if not isinstance(source, (str, os.PathLike)):
        known = isinstance(source, (np.ndarray, pd.DataFrame)) or hasattr(source, "features")
        if not known and not is_dataset_dict(source):
            raise TypeError(
                "`source` must be a path, a DataFrame, a `datasets` dataset or a NumPy array, got"
                f" {type(source).__name__}."
            )
        kind = "table"
    elif kind is None:
        kind = detect_source(source, mapped=mapping is not None)
    if kind not in SOURCES:
        raise ValueError(f"`kind` must be one of {', '.join(SOURCES)}, got {kind!r}.")
    if mapping is not None and kind != "table":
        raise ValueError(f"A column mapping is for tables, but {source} is {kind}. Leave it out.")
    if kind == "table":
        return _read_tables(
            source,
            skip_bad,
            schema=schema,
            timezone=timezone,
            subject_id=subject_id,
            day_start=day_start,
            mapping=mapping,
            report=report,
        )
    path: Any = source
    if kind == "mmash":
        if day_start is not None:
            raise ValueError("`day_start` does not apply to MMASH: its window starts with the recording. Leave it out.")
        return read_mmash(path, timezone=timezone or "Europe/Rome", schema=schema, report=report, skip_bad=skip_bad)
    options: dict[str, Any] = {
        "schema": schema,
        "subject_id": subject_id,
        "day_start": day_start or "00:00",
        "report": report,
    }
    if kind == "apple-health":  # a single file, which cannot be skipped
        return read_apple_health(path, timezone, **options)
    readers: dict[str, Any] = {"fitbit": read_fitbit, "e4": read_e4, "embraceplus": read_embraceplus}
    readers |= {device: read for device, (_, read) in DEVICES.items()}
    return readers[kind](path, timezone, skip_bad=skip_bad, **options)


def _is_archive(path: Path) -> bool:
    if path.name.lower().endswith(TABLE_SUFFIXES):  # a workbook is a zip, too
        return False
    return path.name.lower().endswith(ARCHIVE_SUFFIXES) or zipfile.is_zipfile(path)


def _read_tables(
    source: Any,
    skip_bad: bool,
    *,
    schema: SchemaLike,
    timezone: str | tzinfo | None,
    subject_id: str | None,
    day_start: str | None,
    mapping: Any,
    report: ReadReport | None,
) -> Iterator[SensorDay]:
    """Days of a table, or of all tables in and below a folder or zip."""
    path = Path(source) if isinstance(source, (str, os.PathLike)) else None
    packed = path is not None and path.is_file() and _is_archive(path)
    if path is None or not (path.is_dir() or packed):
        options: dict[str, Any] = {"schema": schema, "timezone": timezone, "subject_id": subject_id}
        return read_table(source, day_start=day_start, mapping=mapping, report=report, **options)
    asked = with_overrides(load_mapping(mapping), None, timezone=timezone, day_start=day_start)
    used = table_options(schema, asked, subject_id, report)
    days = (read_folder if path.is_dir() else read_zip)(path, used, skip_bad)
    return finish(days, used.report, warn=report is None, source="read_any")

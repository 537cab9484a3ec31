"""Converts a recording to a dataset folder with days, quality report and card, atomically."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub.utils import tqdm

from ..days import SensorDay
from ..io import atomic_folder
from ..schema import SchemaLike, get_schema
from .cards import DayStatistics, card_text, write_card
from .licenses import check_license
from .privacy import check_identity, identifying_texts, new_salt, pseudonym
from .readers import ReadReport, detect_source, read_any
from .readers.detect import LABEL_TYPES
from .readers.devices import DEVICES
from .readers.progress import listening
from .readers.recordings import PartItem, Recording, merge_items, people_in, read_serially
from .readers.table_mapping import TableMapping
from .rows import split_of
from .sensor_days import SPLITS
from .shards import DayWriter, fingerprint

QUALITY_FILE = "quality_report.json"
"""File name of the quality report in a dataset folder."""

_NAME_WIDTH = 50  # characters of a file's name beside the progress bar

TITLES = {
    "fitbit": "Fitbit days",
    "mmash": "MMASH days",
    "e4": "Empatica E4 days",
    "embraceplus": "Empatica EmbracePlus days",
    "apple-health": "Apple Health days",
    "table": "Wearable days",
    **{kind: f"{export.title} days" for kind, (export, _) in DEVICES.items()},
}


@dataclass
class Conversion:
    """Result of a conversion.

    Attributes:
        folder: Folder of the dataset.
        kind: Source type.
        days: Number of days per split.
        people: Number of people per split.
        data_bytes: Total size of the shards in bytes.
        report: The reader's report, with pseudonyms.
        statistics: Statistics of all days.
    """

    folder: Path
    kind: str
    days: dict[str, int]
    people: dict[str, int]
    data_bytes: int
    report: ReadReport
    statistics: DayStatistics

    def to_dict(self, *, examples: bool = True) -> dict[str, Any]:
        """Returns the conversion as plain JSON types.

        Args:
            examples: Whether to keep places and examples, which may contain names of files and thus of people.
        """
        report = self.report.to_dict()
        if not examples:
            # The report stored with the data must not reveal more about people than the data.
            report["files_read"] = len(self.report.files_read)
            reasons = list(self.report.files_unused.values())
            report["files_unused"] = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
            for note in report["notes"]:
                note.pop("examples")
                note.pop("places")
        return {
            "folder": str(self.folder) if examples else self.folder.name,
            "source": self.kind,
            "days": self.days,
            "people": self.people,
            "bytes_per_day": round(self.data_bytes / max(sum(self.days.values()), 1)),
            "statistics": self.statistics.to_dict(),
            "quality": report,
        }


def convert_recording(
    source: Any,
    output: str | os.PathLike,
    *,
    kind: str | None = None,
    timezone: str | tzinfo | None = None,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str | None = None,
    mapping: TableMapping | Mapping[str, Any] | str | os.PathLike | None = None,
    skip_bad: bool = True,
    keep_ids: bool = False,
    salt: str | None = None,
    validation_share: float = 0.0,
    test_share: float = 0.0,
    seed: int = 0,
    precision: str = "compact",
    days_per_shard: int = 512,
    license: str = "unknown",
    name: str | None = None,
    allow: Iterable[str] = (),
    folder_of_people: bool = False,
    ray_address: str | None = None,
    num_proc: int = 1,
    progress: bool = False,
) -> Conversion:
    """Converts a recording to a folder that `datasets.load_dataset` can read.

    The folder contains Parquet shards under `data/`, a card `README.md` and [`QUALITY_FILE`]. It appears once
    everything is written; an error leaves no partial output.

    Args:
        source: Anything accepted by [`read_any`].
        output: Output folder; must be empty or not exist.
        kind: Source type; detected by default.
        timezone: Local time zone, or an itinerary.
        schema: Schema of the days.
        subject_id: Subject id, for sources that do not contain one.
        day_start: Local time at which windows start.
        mapping: Column mapping for tables.
        skip_bad: Whether to skip and count unreadable files, if others can be read.
        keep_ids: Whether to keep the source's subject ids instead of pseudonyms.
        salt: Secret salt of the pseudonyms; by default a random one that is discarded.
        validation_share: Expected fraction of people in the validation split.
        test_share: Expected fraction of people in the test split.
        seed: Seed of the assignment of people to splits.
        precision: Precision of stored values, see [`DayWriter`].
        days_per_shard: Days per file.
        license: Licence of the data, for the card: an identifier of the Hub, such as `"cc-by-4.0"`.
        name: Name of the dataset.
        allow: Columns that look identifying but are not, see [`check_identity`].
        folder_of_people: Whether the source is a folder with one export (folder or file) per person, named after the
            person. Without it, everything in a folder of Fitbit files is taken to be from one person.
        ray_address: Reads people on Ray (extra `[ray]`): `"local"` for this machine, `"auto"` or an address for a
            cluster, whose machines must all have access to the source. This process writes the files, which are
            identical.
        num_proc: Maximum number of people read concurrently on Ray.
        progress: Whether to show a progress bar on standard error.

    Returns:
        The result.

    Raises:
        FileNotFoundError: If the source does not exist.
        FileExistsError: If the output exists and is not empty.
        ValueError: If the source is damaged or contains no day, an argument is invalid, or the data contain identifying
            information.
        ImportError: If Ray is requested but not installed.
    """
    if min(validation_share, test_share) < 0 or validation_share + test_share > 1:
        raise ValueError(
            "`validation_share` and `test_share` must be at least 0 and sum to at most 1, got"
            f" {validation_share} and {test_share}."
        )
    if num_proc < 1:
        raise ValueError(f"`num_proc` must be at least 1, got {num_proc}.")
    check_license(license)
    report, statistics = ReadReport(), DayStatistics()
    options: dict[str, Any] = {
        "timezone": timezone,
        "schema": get_schema(schema),
        "subject_id": subject_id,
        "day_start": day_start,
        "mapping": mapping,
        "skip_bad": skip_bad,
    }
    if isinstance(source, (str, os.PathLike)):
        found = kind or detect_source(
            people_in(Path(source))[0] if folder_of_people else source, mapped=mapping is not None
        )
        recording = Recording(str(source), found, folder_of_people=folder_of_people, **options)
        days = merge_items(_runner(ray_address, num_proc)(recording, recording.parts()), report)
    elif folder_of_people or ray_address is not None:
        raise ValueError(f"`folder_of_people` and `ray_address` are for paths, got a {type(source).__name__}.")
    else:
        found = "table"
        days = read_any(source, kind=found, report=report, **options)
    secret = None if keep_ids else salt or new_salt()
    with atomic_folder(output) as hidden_folder:
        with DayWriter(
            hidden_folder, days_per_shard=days_per_shard, label_types=LABEL_TYPES.get(found), precision=precision
        ) as writer:
            safe = _safe(days, allow, names=secret is None)
            bar = tqdm(safe, unit=" days", desc=f"reading {found}", disable=None if progress else True)
            with listening(_shown_beside(bar)):
                for day in bar:
                    split = split_of(day.subject_id, validation_share, test_share, seed)
                    if secret is not None:
                        hidden = pseudonym(day.subject_id, secret)
                        day = day.with_subject(hidden)
                        report.days[-1] = replace(report.days[-1], subject_id=hidden, sample_id=day.sample_id)
                    statistics.add(split, day)
                    writer.add(split, day)
            if not writer.counts or writer.features is None:
                raise ValueError(f"There is no day with an observed minute in {source}.\n{report.summary()}")
        sizes = {
            split: sum(path.stat().st_size for path in (hidden_folder / "data").glob(f"{split}-*.parquet"))
            for split in writer.counts
        }
        ordered = {split: writer.counts[split] for split in SPLITS if split in writer.counts}
        statistics.days = ordered
        done = Conversion(
            folder=Path(output),
            kind=found,
            days=ordered,
            people={split: len(statistics.people[split]) for split in ordered},
            data_bytes=sum(sizes.values()),
            report=report,
            statistics=statistics,
        )
        text = card_text(
            statistics,
            writer.features,
            name=name or TITLES[found],
            source=f"Converted from {TITLES[found].removesuffix(' days')} recordings.",
            license=license,
            provenance={
                "source": found,
                "precision": precision,
                "people": "as named by the source" if keep_ids else "salted hashes",
            },
            data_bytes=sizes,
            fingerprint=fingerprint(hidden_folder),
            allow=allow,
        )
        write_card(hidden_folder, text)
        saved = json.dumps(done.to_dict(examples=False), indent=2) + "\n"
        (hidden_folder / QUALITY_FILE).write_text(saved, encoding="utf-8")
    return done


Runner = Callable[[Recording, Sequence[str]], Iterator[PartItem]]


def _runner(ray_address: str | None, num_proc: int) -> Runner:
    if ray_address is None:
        return read_serially
    from .recordings_ray import read_on_ray

    return partial(read_on_ray, address=ray_address, num_proc=num_proc)


def _shown_beside(bar: tqdm) -> Callable[[str], None]:
    """Returns a function that shows a file's name beside a progress bar, as often as the bar is drawn."""
    shown = 0.0

    def show(name: str) -> None:
        nonlocal shown
        moment = time.monotonic()
        if not bar.disable and moment - shown >= bar.mininterval:
            shown = moment
            bar.set_postfix_str(PurePosixPath(name).name[-_NAME_WIDTH:])

    return show


def _safe(days: Iterable[SensorDay], allow: Iterable[str], *, names: bool) -> Iterator[SensorDay]:
    """Yields days, and raises if labels, events or a kept subject id contain identifying information."""
    allowed = tuple(allow)
    for day in days:
        check_identity({"labels": dict.fromkeys(day.labels)}, allow=allowed)
        row: dict[str, Any] = {"labels": day.labels, "events": [event.to_dict() for event in day.events]}
        if names:
            row["subject_id"] = day.subject_id
        held = {column: what for column, what in identifying_texts([row]).items() if column not in allowed}
        if held:
            listed = ", ".join(f"{column} (contains {what})" for column, what in held.items())
            raise ValueError(
                f"The day of {day.start.date().isoformat()} has texts that look identifying: {listed}. Remove them"
                " from the source, or pass the column as `allow` (`--allow`) if they are harmless."
            )
        yield day

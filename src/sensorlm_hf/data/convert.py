"""From a recording to a dataset folder: days, quality report and card, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..days import SensorDay
from ..io import atomic_folder
from ..schema import SchemaLike, get_schema
from .cards import DayStatistics, card_text, write_card
from .privacy import check_identity, identifying_texts, new_salt, pseudonym
from .readers import ReadReport, detect_source, read_any
from .readers.detect import LABEL_TYPES
from .readers.recordings import PartItem, Recording, merge_items, one_by_one, people_in
from .readers.table_mapping import TableMapping
from .rows import split_of
from .sensor_days import SPLITS
from .shards import DayWriter, fingerprint

QUALITY_FILE = "quality_report.json"
"""The quality report in a dataset's folder."""

TITLES = {
    "fitbit": "Fitbit days",
    "mmash": "MMASH days",
    "e4": "Empatica E4 days",
    "embraceplus": "Empatica EmbracePlus days",
    "apple-health": "Apple Health days",
    "table": "Wearable days",
}


@dataclass
class Conversion:
    """What a conversion did.

    Attributes:
        folder: Where the dataset is.
        kind: Kind of the source.
        days: Days by split.
        people: People by split.
        data_bytes: Size of the shards.
        report: What the reader used, dropped and found odd, with the people's pseudonyms.
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
            examples: Whether to keep places and examples, which may hold names of files and so of people.
        """
        report = self.report.to_dict()
        if not examples:
            # What stays beside the data must not say more of people than the data do.
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
    skip_bad: bool = False,
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
    """Converts a recording into a folder that `datasets.load_dataset` reads.

    The folder gets Parquet shards under `data/`, a card `README.md` and [`QUALITY_FILE`]. It appears when all is
    written; an error leaves nothing behind.

    Args:
        source: What [`read_any`] takes.
        output: Folder to write; must not hold anything.
        kind: Kind of the source; found out by default.
        timezone: Local zone, or an itinerary.
        schema: Schema of the days.
        subject_id: Name of the person, for sources that do not tell people apart.
        day_start: Local time at which windows start.
        mapping: What a table's columns mean.
        skip_bad: Whether to go on without unreadable files; they are counted.
        keep_ids: Whether people keep the names that the source gives them, instead of pseudonyms.
        salt: Secret of the pseudonyms; a random one, which is then forgotten, by default.
        validation_share: Expected share of the people in the validation split.
        test_share: Expected share of the people in the test split.
        seed: Seed by which people are dealt out to the splits.
        precision: How exactly values are stored, see [`DayWriter`].
        days_per_shard: Days in one file.
        license: Licence of the data, for the card.
        name: What the dataset is called.
        allow: Columns that look like identity and are not, see [`check_identity`].
        folder_of_people: Whether the source is a folder that holds an export of each person, a folder or a file, whose
            names are the people's. Without it, all below a folder of Fitbit files is one person's.
        ray_address: Reads people on Ray (extra `[ray]`): `"local"` for this machine, `"auto"` or an address for a
            cluster, whose machines must all see the source. The files are the same, as this process writes them.
        num_proc: Most people read at a time on Ray.
        progress: Whether to show a progress bar on standard error.

    Returns:
        What was done.

    Raises:
        FileNotFoundError: If there is nothing at the source.
        FileExistsError: If there is something at the output.
        ValueError: If the source is damaged or holds no day, an argument is wrong, or the data say who people are.
        ImportError: If Ray is asked for and not installed.
    """
    if min(validation_share, test_share) < 0 or validation_share + test_share > 1:
        raise ValueError(
            "`validation_share` and `test_share` must not be negative nor add up to more than 1, got"
            f" {validation_share} and {test_share}."
        )
    if num_proc < 1:
        raise ValueError(f"`num_proc` must be at least 1, got {num_proc}.")
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
        found = kind or detect_source(people_in(Path(source))[0] if folder_of_people else source)
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
        return one_by_one
    from .recordings_ray import on_ray

    return partial(on_ray, address=ray_address, num_proc=num_proc)


def _safe(days: Iterable[SensorDay], allow: Iterable[str], *, names: bool) -> Iterator[SensorDay]:
    """Passes days on, and stops at one that says who the person is: in labels or events, or in a name that is kept."""
    allowed = tuple(allow)
    for day in days:
        check_identity({"labels": dict.fromkeys(day.labels)}, allow=allowed)
        row: dict[str, Any] = {"labels": day.labels, "events": [event.to_dict() for event in day.events]}
        if names:
            row["subject_id"] = day.subject_id
        held = {column: what for column, what in identifying_texts([row]).items() if column not in allowed}
        if held:
            listed = ", ".join(f"{column} (holds {what})" for column, what in held.items())
            raise ValueError(
                f"The day of {day.start.date().isoformat()} has texts that look like identity: {listed}. Remove them"
                " from the source; if they are harmless, allow the column by name."
            )
        yield day

"""Files that people have and that no reader takes, and what to do with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

FOREIGN = {
    ".avro": "a raw EmbracePlus recording; download the digital biomarkers (CSV) of the Care Portal",
    ".db": "a database; export it as CSV",
    ".xls": "an old Excel workbook; save it as .xlsx or CSV",
    ".gz": "a compressed file of a type that is not read; decompress it",
}
"""What files of a suffix are, and what to do."""

CLINICAL_DOCUMENT = (
    "export_cda.xml is Apple Health's clinical document; give the export.xml that is exported beside it."
)


def foreign_hint(names: Iterable[str], unreadable: Mapping[str, str] | None = None) -> str:
    """Returns what the known but unreadable files among some are, for a message that nothing readable was found.

    Args:
        names: Names of the files.
        unreadable: `{archive among them: why it cannot be read}`.

    Returns:
        A sentence with a blank before it; empty if no file is known.
    """
    held = list(names)
    for why in (unreadable or {}).values():
        return f" {why}"
    if any(PurePosixPath(name).name.lower().startswith("export_cda") for name in held):
        return f" {CLINICAL_DOCUMENT}"
    for name in held:
        what = FOREIGN.get(PurePosixPath(name).suffix.lower())
        if what is not None:
            return f" {name} is {what}."
    if any(name.lower().endswith(".xml") for name in held):
        return " The XML file in it is empty or not an Apple Health export; export it again."
    return ""

"""What must not leave the machine: pseudonyms for people, and a check that nothing in a dataset says who they are."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

_PARTS = (
    "address|birth|birthday|birthdate|dob|email|emails|mail|gps|ip|lat|latitude|lon|lng|longitude|location|city|street|"
    "zip|postcode|postal|phone|mobile|telephone|passport|ssn|username|login|firstname|lastname|surname|forename|"
    "fullname|nickname|initials|imei|mac|serial|url|website|photo|face|signature|insurance|account"
)
_IDENTITY = re.compile(rf"(?:^|[_\W])(?:{_PARTS})(?:$|[_\W\d])", re.IGNORECASE)
_NAME = re.compile(
    r"^(?:(?:first|last|full|sur|given|family|middle|user|person|patient|participant|subject)[_ ]?)?name$"
)
_OTHER_ID = re.compile(
    r"(?:^|_)(?:log|device|user|patient|participant|account|session|national|tax)_?(?:id|number|no)s?$"
)
_ALLOWED = ("subject_id",)

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?<![\w.])\+?\d[\d ()/-]{8,}\d(?![\w.])")
_PLACE = re.compile(r"-?\d{1,3}\.\d{4,}\s*[,;]\s*-?\d{1,3}\.\d{4,}")
_KINDS = (("an e-mail address", _EMAIL), ("coordinates", _PLACE), ("a telephone number", _PHONE))


def new_salt() -> str:
    """Returns a random salt; who does not keep it cannot find a person's pseudonym again, nor can anybody else."""
    return secrets.token_hex(16)


def pseudonym(subject_id: str, salt: str) -> str:
    """Returns a person's pseudonym: `"p"` and 16 hexadecimal digits of a salted hash.

    Args:
        subject_id: The person's true name or number.
        salt: Secret text; with another one, the same person gets another pseudonym.

    Raises:
        ValueError: If the salt is empty: then anybody could try out names.
    """
    if not salt:
        raise ValueError("The `salt` of pseudonyms must not be empty; leave it out for a random one.")
    return "p" + hashlib.blake2b(subject_id.encode(), key=hashlib.sha256(salt.encode()).digest()).hexdigest()[:16]


def _split_words(name: str) -> str:
    """`startLatitude` and `start-latitude` as `start_latitude`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").replace(" ", "_").lower()


def looks_like_identity(column: str) -> bool:
    """Tells whether a column's name is one under which people keep what identifies a person."""
    name = _split_words(column.rsplit(".", 1)[-1])
    if name in _ALLOWED:
        return False
    return bool(_IDENTITY.search(name) or _NAME.search(name) or _OTHER_ID.search(name))


def column_names(features: Mapping[str, Any]) -> list[str]:
    """Returns the columns of a dataset and the fields inside of them, as `labels.age`."""
    names = []

    def walk(prefix: str, feature: Any) -> None:
        inner = getattr(feature, "feature", feature)
        if isinstance(inner, list):
            inner = inner[0] if inner else None
        if isinstance(inner, Mapping):
            for key, value in inner.items():
                names.append(f"{prefix}{key}")
                walk(f"{prefix}{key}.", value)

    walk("", dict(features))
    return names


def identifying_texts(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Looks for e-mail addresses, telephone numbers and coordinates in the texts of rows.

    Args:
        rows: Rows of a dataset of days; `values` are not looked at.

    Returns:
        `{column: what kind of thing it holds}`; the thing itself is not repeated.
    """
    found: dict[str, str] = {}

    def look(column: str, value: Any) -> None:
        if isinstance(value, str) and column not in ("start", "timezone", "schema"):
            for what, pattern in (
                ("an e-mail address", _EMAIL),
                ("coordinates", _PLACE),
                ("a telephone number", _PHONE),
            ):
                if pattern.search(value):
                    found.setdefault(column, what)
                    return
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                look(f"{column}.{key}" if column else str(key), inner)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                look(column, inner)

    for row in rows:
        look("", {key: value for key, value in row.items() if key != "values"})
    return found


def check_identity(
    features: Mapping[str, Any], rows: Iterable[Mapping[str, Any]] = (), allow: Iterable[str] = ()
) -> None:
    """Refuses a dataset that seems to say who its people are.

    Args:
        features: Columns of the dataset.
        rows: Rows to look into, all or a part.
        allow: Columns, as `labels.city`, that somebody has looked at and found harmless.

    Raises:
        ValueError: If a column's name or content looks like identity; the message names them all.
    """
    allowed = set(allow)
    named = [name for name in column_names(features) if looks_like_identity(name) and name not in allowed]
    held = {name: what for name, what in identifying_texts(rows).items() if name not in allowed}
    if named or held:
        reasons = [f"{name} (its name)" for name in named] + [f"{name} (holds {what})" for name, what in held.items()]
        raise ValueError(
            f"The dataset has columns that look like identity: {', '.join(reasons)}. Remove or rename them; if they are"
            " harmless, allow them by name."
        )

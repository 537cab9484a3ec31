"""Privacy: pseudonyms for subjects, and checks that a dataset contains no identifying information."""

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
    """Returns a random salt. If it is discarded, nobody can map a person to their pseudonym again."""
    return secrets.token_hex(16)


def pseudonym(subject_id: str, salt: str) -> str:
    """Returns a person's pseudonym: `"p"` and 16 hexadecimal digits of a salted hash.

    Args:
        subject_id: The person's real name or number.
        salt: Secret text; a different salt gives a different pseudonym.

    Raises:
        ValueError: If the salt is empty, which would make pseudonyms guessable.
    """
    if not salt:
        raise ValueError("The `salt` of pseudonyms must not be empty; omit it for a random one.")
    return "p" + hashlib.blake2b(subject_id.encode(), key=hashlib.sha256(salt.encode()).digest()).hexdigest()[:16]


def _split_words(name: str) -> str:
    """`startLatitude` and `start-latitude` as `start_latitude`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").replace(" ", "_").lower()


def looks_like_identity(column: str) -> bool:
    """Returns whether a column name suggests identifying information."""
    name = _split_words(column.rsplit(".", 1)[-1])
    if name in _ALLOWED:
        return False
    return bool(_IDENTITY.search(name) or _NAME.search(name) or _OTHER_ID.search(name))


def column_names(features: Mapping[str, Any]) -> list[str]:
    """Returns the columns of a dataset and their nested fields, as `labels.age`."""
    names = []

    def collect(prefix: str, feature: Any) -> None:
        inner = getattr(feature, "feature", feature)
        if isinstance(inner, list):
            inner = inner[0] if inner else None
        if isinstance(inner, Mapping):
            for key, value in inner.items():
                names.append(f"{prefix}{key}")
                collect(f"{prefix}{key}.", value)

    collect("", dict(features))
    return names


def identifying_texts(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Searches the text fields of rows for e-mail addresses, telephone numbers and coordinates.

    Args:
        rows: Rows of a dataset of days; `values` are not searched.

    Returns:
        `{column: kind of information found}`; the information itself is not repeated.
    """
    found: dict[str, str] = {}

    def search(column: str, value: Any) -> None:
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
                search(f"{column}.{key}" if column else str(key), inner)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                search(column, inner)

    for row in rows:
        search("", {key: value for key, value in row.items() if key != "values"})
    return found


def check_identity(
    features: Mapping[str, Any], rows: Iterable[Mapping[str, Any]] = (), allow: Iterable[str] = ()
) -> None:
    """Raises an error if a dataset appears to contain identifying information.

    Args:
        features: Columns of the dataset.
        rows: Rows to search, all or a subset.
        allow: Columns, such as `labels.city`, that were reviewed and found harmless.

    Raises:
        ValueError: If a column's name or content looks identifying; the message lists all of them.
    """
    allowed = set(allow)
    named = [name for name in column_names(features) if looks_like_identity(name) and name not in allowed]
    texts = {name: what for name, what in identifying_texts(rows).items() if name not in allowed}
    if named or texts:
        reasons = [f"{name} (its name)" for name in named] + [
            f"{name} (contains {what})" for name, what in texts.items()
        ]
        raise ValueError(
            f"The dataset has columns that look identifying: {', '.join(reasons)}. Remove or rename them, or pass their"
            " names as `allow` (`--allow`) if they are harmless."
        )

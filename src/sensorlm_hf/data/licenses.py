"""Licence identifiers that the Hub accepts in the metadata of a dataset card."""

from __future__ import annotations

import difflib

_IDENTIFIERS = (
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 "
    "bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc "
    "cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 "
    "cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 "
    "cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 "
    "agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ "
    "osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr unknown other "
)

HUB_LICENSES = frozenset(_IDENTIFIERS.split())
"""Identifiers in the Hub's documentation (docs/hub/repositories-licenses.md), without those of single models."""


def check_license(license: str) -> None:
    """Checks a licence before data are converted, since the Hub refuses a card only when it is pushed.

    Args:
        license: Identifier of the licence.

    Raises:
        ValueError: If the Hub does not know it.
    """
    if license in HUB_LICENSES:
        return
    plain = "-".join(license.lower().split())
    close = [plain] if plain in HUB_LICENSES else difflib.get_close_matches(plain, sorted(HUB_LICENSES), n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ValueError(
        f"`license` {license!r} is not an identifier that the Hub knows, such as 'cc-by-4.0', 'odc-by' or 'mit'.{hint}"
        " Use 'other' for a licence of your own and name it as `license_name` in the card's header."
    )


__all__ = ["HUB_LICENSES", "check_license"]

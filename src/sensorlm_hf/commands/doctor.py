"""`sensorlm-hf doctor`: reports installed packages, devices and problems."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .._extras import PACKAGE
from .._version import __version__
from .command import Command, json_option, print_json

OLDEST, NEWEST = (3, 10), (3, 13)
"""Oldest and newest tested Python versions."""

MIN_FREE_GB = 2.0
"""Minimum free disk space, below which the cache is likely to run full while a dataset is prepared."""


@dataclass(frozen=True)
class Check:
    """Result of a check.

    Attributes:
        name: Subject of the check.
        state: `"ok"`, `"note"` (worth knowing) or `"problem"` (something will not work).
        message: Finding and, for a problem, how to fix it.
    """

    name: str
    state: str
    message: str


@dataclass
class Diagnosis:
    """Results of all checks.

    Attributes:
        versions: `{package: version}`, Python and the package itself first.
        devices: A line for each device that torch can use.
        checks: Results of the checks.
        extras: `{extra: {"installed", "missing", "install"}}` of the optional extras.
    """

    versions: dict[str, str] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    extras: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Whether no check found a problem."""
        return all(check.state != "problem" for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Returns the results as plain JSON types."""
        return {**asdict(self), "healthy": self.healthy}


def diagnose() -> Diagnosis:
    """Checks versions, devices, the demo model, the cache and the extras, without network access."""
    found = Diagnosis()
    found.versions = {"python": platform.python_version(), PACKAGE: __version__}
    needed, extras = requirements()
    found.checks.append(_check_python())
    mismatched = 0
    for requirement in needed:
        version, fits = _installed(requirement)
        if version is not None:
            found.versions[requirement.name] = version
        if not fits:
            mismatched += 1
            have = "is not installed" if version is None else f"is {version}, but {requirement.specifier} is needed"
            found.checks.append(
                Check(requirement.name, "problem", f"{requirement.name} {have}: pip install '{requirement}'.")
            )
    if not needed:
        found.checks.append(
            Check("metadata", "note", "The package runs from a folder without being installed; extras are unknown.")
        )
    elif not mismatched:
        found.checks.append(Check("requirements", "ok", f"All {len(needed)} required packages have suitable versions."))
    for extra, parts in sorted(extras.items()):
        missing = [str(requirement) for requirement in parts if not _installed(requirement)[1]]
        found.extras[extra] = {
            "installed": not missing,
            "missing": missing,
            "install": install_command(extra),
        }
    for check in (_devices, _check_model, _check_cache):
        try:
            outcome = check()
        except ImportError as error:  # reported above as a missing package; this shows the consequence
            found.checks.append(Check(check.__name__.lstrip("_").removeprefix("check_"), "problem", _reason(error)))
            continue
        if isinstance(outcome, Check):
            found.checks.append(outcome)
        else:
            found.devices = outcome
    found.checks.append(_check_offline())
    return found


def _reason(error: ImportError) -> str:
    return f"Could not check: {' '.join(str(error).split()).rstrip('.')}."


def requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """Returns the requirements of the installed package and of each extra."""
    try:
        lines = importlib.metadata.requires(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return [], {}
    needed: list[Requirement] = []
    extras: dict[str, list[Requirement]] = {}
    names = importlib.metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed.append(_without_marker(requirement))
            continue
        for name in names:
            if requirement.marker.evaluate({"extra": name}):
                extras.setdefault(name, []).append(_without_marker(requirement))
    return needed, {name: _resolve_references(name, extras) for name in extras}


def _resolve_references(
    extra: str, extras: dict[str, list[Requirement]], seen: tuple[str, ...] = ()
) -> list[Requirement]:
    """Returns the requirements of an extra, with references to other extras (`sensorlm-hf[other]`) resolved."""
    found: dict[str, Requirement] = {}
    for requirement in extras.get(extra, []):
        parts = [requirement]
        if canonicalize_name(requirement.name) == PACKAGE:
            others = sorted(requirement.extras - {extra, *seen})
            parts = [part for other in others for part in _resolve_references(other, extras, (*seen, extra))]
        found.update({str(part): part for part in parts})
    return list(found.values())


def install_command(extra: str) -> str:
    """Returns the command that installs an extra, from the checkout if the package was installed from one."""
    try:
        origin = importlib.metadata.distribution(PACKAGE).read_text("direct_url.json") or "{}"
    except importlib.metadata.PackageNotFoundError:
        origin = "{}"
    url = urlsplit(json.loads(origin).get("url", ""))
    folder = Path(url2pathname(url.path))
    if url.scheme != "file" or not (folder / "constraints.txt").is_file():
        return f"pip install '{PACKAGE}[{extra}]'"
    return f"cd {shlex.quote(str(folder))} && pip install -c constraints.txt -e '.[{extra}]'"


def _without_marker(requirement: Requirement) -> Requirement:
    """Returns the requirement without its marker, as accepted by pip on the command line."""
    copy = Requirement(str(requirement))
    copy.marker = None
    return copy


def _installed(requirement: Requirement) -> tuple[str | None, bool]:
    """Returns the installed version, and whether it satisfies the requirement."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return None, False
    return version, requirement.specifier.contains(Version(version), prereleases=True)


def _check_python() -> Check:
    version = sys.version_info[:2]
    text = ".".join(map(str, version))
    if OLDEST <= version <= NEWEST:
        return Check("python", "ok", f"Python {text} is a tested version.")
    tested = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    state = "problem" if version < OLDEST else "note"
    return Check("python", state, f"Python {text} is not a tested version ({tested}).")


def _devices() -> list[str]:
    import torch

    memory = _memory_gb()
    size = "" if memory is None else f", {memory:.0f} GB memory"
    lines = [f"cpu: {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads{size}"]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            half = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
            lines.append(f"cuda:{index}: {properties.name}, {properties.total_memory / 1e9:.0f} GB, {half}")
    elif torch.version.cuda:
        lines.append(f"cuda: torch was built for CUDA {torch.version.cuda}, but no GPU is available")
    if torch.backends.mps.is_available():
        lines.append("mps: Apple GPU")
    return lines


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (ValueError, OSError, AttributeError):  # not available on every system
        return None


def _check_model() -> Check:
    from transformers import AutoConfig

    from .._registration import register
    from ..checkpoints import demo_checkpoint

    register()
    try:
        folder = demo_checkpoint()
        config = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        return Check("demo model", "problem", str(error))
    size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
    if not (Path(folder) / "model.safetensors").is_file():
        return Check("demo model", "problem", f"{folder} has no model.safetensors; run `make train-demo`.")
    return Check("demo model", "ok", f"sensorlm-coca ({config.objective}, {size:.0f} MB) is in place.")


def _check_cache() -> Check:
    from huggingface_hub.constants import HF_HOME

    folder = Path(HF_HOME)
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(place, os.W_OK):
        return Check(
            "cache", "problem", f"{place} is not writable; set the environment variable HF_HOME to another folder."
        )
    free = shutil.disk_usage(place).free / 1e9
    if free < MIN_FREE_GB:
        return Check("cache", "note", f"Only {free:.1f} GB are free at {folder}, where datasets are prepared.")
    return Check("cache", "ok", f"{folder} is writable; {free:.0f} GB are free.")


def _check_offline() -> Check:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return Check("hub", "note", "HF_HUB_OFFLINE is set: models and datasets come from folders and the cache only.")
    return Check("hub", "ok", "Names that are not folders are looked up on the Hub.")


def print_diagnosis(found: Diagnosis) -> None:
    """Prints the results as tables."""
    from .output import console, print_table

    out = console()
    print_table(("package", "version"), list(found.versions.items()), title="Versions", to=out)
    out.print()
    if found.devices:
        print_table(("device",), [(line,) for line in found.devices], title="Devices", to=out)
        out.print()
    print_table(
        ("check", "state", "what was found"),
        [(check.name, check.state, check.message) for check in found.checks],
        title="Checks",
        to=out,
    )
    if found.extras:
        out.print()
        rows = [
            (name, "yes" if extra["installed"] else "no", "" if extra["installed"] else extra["install"])
            for name, extra in found.extras.items()
        ]
        print_table(("extra", "installed", "to install it"), rows, title="Optional parts", to=out)
    out.print()
    problems = sum(check.state == "problem" for check in found.checks)
    ending = "Everything required is available." if not problems else f"{problems} problem(s): see the checks above."
    out.print(ending, markup=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    json_option(parser, "findings")


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Prints the results; returns 1 if there is a problem."""
    found = diagnose()
    if arguments.json:
        print_json(found.to_dict())
    else:
        print_diagnosis(found)
    return 0 if found.healthy else 1


COMMAND = Command(
    name="doctor",
    help="Report versions, devices and problems, and how to install what is missing.",
    example="sensorlm-hf doctor --json",
    add_arguments=add_arguments,
    run=run,
    light=True,
)

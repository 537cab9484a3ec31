"""Hooks for the documentation build: page order, tables generated from the code, links between API pages.

Pages that are not listed are discovered automatically, so a new page needs no change here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent

SECTIONS: dict[str, tuple[str, ...]] = {
    "": ("index.md", "quickstart.md"),
    "Guides": (
        "guides/data.md",
        "guides/zero-shot.md",
        "guides/retrieval.md",
        "captions.md",
        "training.md",
        "guides/lora.md",
        "guides/evaluation.md",
        "tasks.md",
        "guides/hub.md",
        "guides/cluster.md",
    ),
    "Reference": (
        "reference/channels.md",
        "features.md",
        "reference/models.md",
        "reference/command-line.md",
        "simulation.md",
    ),
    "API": (),
    "More": ("limits.md", "faq.md"),
}
"""Pages by section, in order; missing ones are skipped, and unlisted ones are added to their folder's section."""

FOLDERS = {"guides": "Guides", "reference": "Reference", "api": "API"}


def on_config(config: Any) -> Any:
    """Builds the navigation from the existing pages."""
    pages = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    named = {page for section in SECTIONS.values() for page in section}
    nav: list[Any] = []
    for title, order in SECTIONS.items():
        own = [page for page in order if page in pages]
        own += [
            page
            for page in pages
            if page not in named and FOLDERS.get(page.split("/")[0] if "/" in page else "", "More") == title
        ]
        nav += own if not title else [{title: own}] * bool(own)
    config["nav"] = nav
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills in the tables: `<!-- table: channels sensorlm-26 -->` and the like.

    Links to files of the checkout that are not pages are reduced to their text: the site does not contain those files.
    """
    markdown = re.sub(r"\[([^\]\n]+)\]\((?:\.\./)+(?:examples|configs|benchmarks|src)/[^)\s]*\)", r"\1", markdown)
    return re.sub(r"<!-- table: ([\w -]+?) -->", lambda match: table(*match[1].split()), markdown)


def table(kind: str, *arguments: str) -> str:
    """Returns a generated table as Markdown.

    Raises:
        ValueError: If there is no such table.
    """
    makers = {"channels": channels_table, "sizes": sizes_table, "variants": variants_table, "commands": commands_help}
    if kind not in makers:
        raise ValueError(f"There is no table {kind!r}; there are {', '.join(makers)}.")
    return makers[kind](*arguments)


def channels_table(schema: str) -> str:
    """One row for each channel of a schema."""
    from sensorlm_hf import get_schema

    rows = ["| # | sensor | channel | key | unit | mean | std | plausible |", "|--:|---|---|---|---|--:|--:|---|"]
    for number, channel in enumerate(get_schema(schema), start=1):
        low, high = channel.valid_range
        rows.append(
            f"| {number} | {channel.modality} | {channel.label} | `{channel.key}` | {channel.unit} |"
            f" {channel.mean:.4g} | {channel.std:.4g} | {low:g} to {high:g} |"
        )
    return "\n".join(rows)


def sizes_table() -> str:
    """One row for each size: its shape and the parameters of each objective."""
    from sensorlm_hf.modeling import OBJECTIVES, SIZES, SensorLMConfig

    rows = [
        "| size | width | heads | sensor layers | tokens a day | "
        + " | ".join(f"`{objective}`, M parameters" for objective in OBJECTIVES)
        + " |",
        "|---|--:|--:|--:|--:|" + "--:|" * len(OBJECTIVES),
    ]
    for size in SIZES:
        sensor = SensorLMConfig.from_size("clip", size).sensor_config
        tokens = (sensor.window_minutes // sensor.patch_minutes) * -(-sensor.num_channels // sensor.patch_channels)
        counts = " | ".join(f"{parameters(objective, size) / 1e6:.1f}" for objective in OBJECTIVES)
        rows.append(
            f"| {size} | {sensor.hidden_size} | {sensor.num_attention_heads} | {sensor.num_hidden_layers} | {tokens} |"
            f" {counts} |"
        )
    return "\n".join(rows)


@lru_cache(maxsize=32)
def parameters(objective: str, size: str) -> int:
    """Counts the parameters of a model without allocating it."""
    import torch

    from sensorlm_hf.modeling import SensorLMConfig, pretraining_class

    config = SensorLMConfig.from_size(objective, size)
    with torch.device("meta"):
        return pretraining_class(config)(config).num_parameters()


def variants_table() -> str:
    """One row for each objective: what a model trained with it can do."""
    from sensorlm_hf.modeling import OBJECTIVES, SensorLMConfig

    rows = ["| objective | zero-shot | captioning | retrieval | trained to |", "|---|---|---|---|---|"]
    aims = {
        "clip": "identify a day's caption among those in the batch (softmax)",
        "siglip": "classify each pair of day and caption as matching or not (sigmoid)",
        "cap": "generate the caption",
        "coca": "both: identify the caption and generate it",
    }
    for objective in OBJECTIVES:
        config = SensorLMConfig.from_size(objective, "tiny")
        labels = "yes" if config.is_contrastive else "yes, by text likelihood (slow)"
        yes = {True: "yes", False: "–"}
        rows.append(
            f"| `{objective}` | {labels} | {yes[config.is_generative]} | {yes[config.is_contrastive]} |"
            f" {aims[objective]} |"
        )
    return "\n".join(rows)


def commands_help() -> str:
    """The help of every command."""
    import argparse

    from sensorlm_hf.cli import build_parser

    parser = build_parser()
    actions = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    parts = []
    for name, command in actions.choices.items():
        parts.append(f"## sensorlm-hf {name}\n\n```text\n{command.format_help().strip()}\n```")
    return "\n\n".join(parts)


# Docstrings write [`Name`]; where the API pages document the name, it becomes a link.


@lru_cache(maxsize=1)
def documented() -> dict[str, str]:
    """Returns `{short name: identifier}` of everything documented on the API pages."""
    found: dict[str, str] = {}
    for path in sorted((DOCS / "api").glob("*.md")):
        for identifier in re.findall(r"^::: (\S+)", path.read_text(encoding="utf-8"), flags=re.M):
            found.setdefault(identifier.rsplit(".", 1)[-1], identifier)
    return found


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Turns the docstrings' bracketed names into links."""

    def link(match: re.Match[str]) -> str:
        name = match[1]
        owner, _, member = name.partition(".")
        identifier = documented().get(owner)
        if identifier is None:
            return f"<code>{name}</code>"
        target = f"{identifier}.{member}" if member else identifier
        return f'<autoref identifier="{target}" optional><code>{name}</code></autoref>'

    return re.sub(r"\[<code>([\w.]+)</code>\](?!\()", link, html)

"""Documentation: Python blocks run, commands parse, tables match the code, and the site builds."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sensorlm_hf import get_schema
from sensorlm_hf.cli import build_parser

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
PYTHON = re.compile(r"^```(?:python|py)\b[^\n]*\n(.*?)^```", flags=re.M | re.S)
FENCES = re.compile(r"^ *```(\w*)", flags=re.M)


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[str]:
    return PYTHON.findall(text_of(page))


def run_blocks(text: str, name: str) -> None:
    """Runs the Python blocks of a page in order, in one namespace."""
    namespace: dict[str, object] = {"__name__": "docs"}
    for number, block in enumerate(PYTHON.findall(text)):
        exec(compile(block, f"docs/{name}, block {number}", "exec"), namespace)


def escaped_blocks(text: str) -> str:
    """Describes why [`run_blocks`] would miss a block of a page; empty if it misses none."""
    opened = FENCES.findall(text)[::2]
    if "" in opened:
        return "name the language of every block; ```text for none"
    if sum(language in ("python", "py", "pycon") for language in opened) != len(PYTHON.findall(text)):
        return "fence Python as ```python at the margin"
    return ""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    return load("hooks")


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    return load("pictures")


@pytest.fixture
def work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with links to the checkout's files, for blocks that read or write files."""
    for name in ("configs", "examples", "dataset_scripts", "sensorlm-coca"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)])
def test_python_blocks_run(page: str, work_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_blocks(text_of(page), page)
    assert capsys.readouterr().out.strip(), "the blocks of a page should print something"


@pytest.mark.parametrize("page", PAGES)
def test_no_block_is_missed(page: str) -> None:
    """Python blocks are unindented `python` fences, which the test above finds; other blocks name their language."""
    assert not escaped_blocks(text_of(page))


def test_broken_blocks_are_detected() -> None:
    """Checks that the two tests above can fail."""
    good = "Words.\n\n```python\nx = 1\n```\n\n```text\nprinted\n```\n\n```python\nprint(x + 1)\n```\n"
    run_blocks(good, "a page")
    assert not escaped_blocks(good)
    for broken, error in (
        ("print(y)", NameError),
        ("print(", SyntaxError),
        ("import sensorlm_hf.nothing", ImportError),
    ):
        with pytest.raises(error):
            run_blocks(good.replace("print(x + 1)", broken), "a page")
    assert escaped_blocks(good.replace("```text", "```")).startswith("name the language")
    for hidden in ("- item\n\n    ```python\n    print(1)\n    ```\n", "```pycon\n>>> 1\n```\n"):
        assert escaped_blocks(good + hidden).startswith("fence Python")


def test_commands_in_docs_exist() -> None:
    documents = [DOCS / page for page in PAGES] + [ROOT / "README.md"]
    seen = 0
    for document in documents:
        text = document.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^(?:\$ |srun )?(sensorlm-hf [a-z].*)$", text, flags=re.M):
            if "..." in line or " COMMAND " in line:
                continue
            words = shlex.split(line, comments=True)[1:]
            parser = build_parser()
            try:
                arguments, rest = parser.parse_known_args(words)
            except SystemExit:
                raise AssertionError(f"{document.name}: the command line does not take {line!r}") from None
            assert not rest or arguments.command == "train", f"{document.name}: {line!r}"
            seen += 1
    assert seen >= 8


@pytest.mark.parametrize("schema", ["sensorlm-26", "sensorlm-34"])
def test_channel_table_matches_code(hooks: ModuleType, schema: str) -> None:
    rows = hooks.table("channels", schema).splitlines()
    assert len(rows) == 2 + len(get_schema(schema))
    for channel, row in zip(get_schema(schema), rows[2:], strict=True):
        assert f"`{channel.key}`" in row
        assert channel.label in row


def test_other_tables_match_code(hooks: ModuleType) -> None:
    assert "204.0" in next(row for row in hooks.table("sizes").splitlines() if row.startswith("| base"))
    assert len(hooks.table("variants").splitlines()) == 6
    assert "## sensorlm-hf demo" in hooks.table("commands")
    with pytest.raises(ValueError, match="no table 'nothing'"):
        hooks.table("nothing")


def test_every_page_is_in_navigation(hooks: ModuleType) -> None:
    nav = hooks.on_config({})["nav"]
    listed = [page for entry in nav for page in ([entry] if isinstance(entry, str) else next(iter(entry.values())))]
    assert sorted(listed) == PAGES
    assert listed[:2] == ["index.md", "quickstart.md"]


def test_every_page_is_linked() -> None:
    """Every page is reachable from the first page, except the API pages, which are in the navigation."""
    linked = {"index.md"}
    waiting = ["index.md"]
    while waiting:
        page = waiting.pop()
        for target in re.findall(r"\]\(([^)#\s]+\.md)", text_of(page)):
            path = (DOCS / page).parent.joinpath(target).resolve()
            assert path.is_file(), f"{page} links to {target}"
            name = path.relative_to(DOCS).as_posix() if path.is_relative_to(DOCS) else page
            if name not in linked:
                linked.add(name)
                waiting.append(name)
    assert {page for page in PAGES if not page.startswith("api/")} <= linked


def test_every_plot_is_documented_and_shown(pictures: ModuleType) -> None:
    from sensorlm_hf import plotting

    page = text_of("api/plotting.md")
    for name in plotting.__all__:
        if name.startswith("plot_"):
            assert re.search(rf"^::: sensorlm_hf\.plotting\.\w+\.{name}$", page, flags=re.M), name
    assert {match[1] for match in pictures.asked(page)} == set(pictures.PICTURES)


def test_figures_are_drawn_for_both_themes(pictures: ModuleType) -> None:
    for name in ("day", "heatmap"):  # the others need the model
        light, dark = (pictures.drawer(name)(theme) for theme in ("light", "dark"))
        assert light.get_facecolor() != dark.get_facecolor()
        assert round(light.get_size_inches()[0] * light.dpi) == pictures.WIDTH
    shown = pictures.show("Look:\n\n<!-- picture: day | A day,\nin words. -->\n", "../")
    assert "![A day, in words.](../images/drawn/day-light.svg#only-light)" in shown
    assert shown.count("images/drawn/day-dark.svg#only-dark") == 1
    with pytest.raises(ValueError, match="no picture 'cat'; there are day"):
        pictures.show("<!-- picture: cat | A cat. -->", "")


def test_every_device_has_a_command_and_most_a_picture(pictures: ModuleType) -> None:
    from sensorlm_hf.data.readers.devices import DEVICES

    page = text_of("guides/devices.md")
    shown = {match[1] for name in ("guides/devices.md", "guides/data.md") for match in pictures.asked(text_of(name))}
    assert shown == set(pictures.DEVICES)
    for kind in DEVICES:
        assert f"| `sensorlm-hf convert {kind}` |" in page, kind
        assert len(re.findall(rf"^sensorlm-hf convert {kind} ", page, flags=re.M)) > 0, kind
    without_minutes = {"whoop", "ggir"}
    assert {kind.replace("-", "_") for kind in DEVICES if kind not in without_minutes} <= shown


def test_the_day_of_a_device_has_its_channels_only(pictures: ModuleType) -> None:
    oura = pictures.as_device("oura")
    observed = {key for key in oura.schema.keys if oura.mask[:, oura.schema.index(key)].any()}
    assert observed == set(pictures.DEVICES["oura"][0])
    assert set(np.flatnonzero(oura.mask[:, oura.schema.index("HR")]) % 5) == {0}
    assert pictures.drawer("oura")("dark").get_size_inches()[0] * 100 == pictures.WIDTH


def test_external_links_keep_their_text(hooks: ModuleType) -> None:
    shown = hooks.on_page_markdown("[`a`](../examples/a.py), [b](../../configs/b.json), [c](../c.md)", None)
    assert shown == "`a`, b, [c](../c.md)"


def test_bracketed_names_become_links(hooks: ModuleType) -> None:
    html = hooks.on_page_content("See [<code>SensorDay</code>], [<code>SensorDay.crop</code>], [<code>x</code>].", None)
    assert html.count("<autoref") == 2
    assert 'identifier="sensorlm_hf.days.SensorDay.crop"' in html
    assert "<code>x</code>" in html


@pytest.mark.slow
def test_site_builds_without_external_resources(tmp_path: Path) -> None:
    build = pytest.importorskip("mkdocs.commands.build")
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    from mkdocs.config import load_config

    with contextlib.chdir(ROOT) if hasattr(contextlib, "chdir") else contextlib.nullcontext():
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        build.build(config)
    pages = list((tmp_path / "site").rglob("*.html"))
    drawn = {path.name for path in (tmp_path / "site" / "images" / "drawn").glob("*.svg")}
    assert drawn == {
        f"{name}-{theme}.svg" for name in ("day", "heatmap", "timeline", "map") for theme in ("light", "dark")
    }
    assert len(pages) >= len(PAGES)
    loaded = re.compile(r'<(?:script|img|link)[^>]+(?:src|href)="(https?:)?//[^"]+"[^>]*>')
    for page in pages:
        for tag in loaded.finditer(page.read_text(encoding="utf-8")):
            assert 'rel="canonical"' in tag[0], f"{page.name} loads {tag[0]}"

"""Plots of days: correctness and legibility."""

from __future__ import annotations

import ast
import io
from datetime import datetime, timedelta, timezone
from itertools import combinations
from pathlib import Path
from zoneinfo import ZoneInfo

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.plotting import THEMES, default_channels, get_theme, plot_day, plot_heatmap
from sensorlm_hf.plotting.events import LABEL_SIZE, MAX_ROWS, lay_out_events
from sensorlm_hf.plotting.theme import shorten, text_width
from sensorlm_hf.plotting.time_axis import clock_changes, clock_ticks, date_text, missing_runs
from sensorlm_hf.schema import get_schema

SCHEMA = get_schema("sensorlm-26")
ROME = ZoneInfo("Europe/Rome")


def make_day(
    events: tuple[Event, ...] = (),
    start: datetime | None = None,
    minutes: int = 1440,
    missing: tuple[str, ...] = (),
    schema: str = "sensorlm-26",
    subject: str = "p1",
) -> SensorDay:
    """A day of noise around the population means, with a gap of 100 minutes."""
    named = get_schema(schema)
    rng = np.random.default_rng(5)
    values = np.array(named.means) + 0.3 * np.array(named.stds) * rng.standard_normal((minutes, len(named)))
    low, high = np.array([channel.valid_range for channel in named]).T
    values = np.clip(values, low, high)
    values[minutes // 4 : minutes // 4 + 100] = np.nan
    for key in missing:
        values[:, named.index(key)] = np.nan
    return SensorDay(values.astype(np.float32), start or datetime(2024, 5, 7, tzinfo=ROME), subject, named, events)


EVERYDAY = ("using a phone or computer", "meal", "housework")
BUSY = (
    *(Event("activity", EVERYDAY[i % 3], 20 + 30 * i, 30 + 30 * i + 7 * (i % 4)) for i in range(46)),
    Event("sleep", "sleep", -60, 400),
    Event("sleep", "sleep", 1400, 1800),
    Event("mood", "calm", 0, 0),
    Event("mood", "irritable", 700, 700),
    Event("mood", "energetic", 1439, 1439),
)


def drawn(figure: Figure) -> FigureCanvasAgg:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas


def visible_texts(figure: Figure) -> list[tuple[str, matplotlib.transforms.Bbox]]:
    renderer = drawn(figure).get_renderer()
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += axes.texts
        if axes.axison:
            low, high = sorted(axes.get_ylim())  # ticks outside the limits exist but are not drawn
            texts += [text for text in axes.get_yticklabels() if low - 1e-9 <= text.get_position()[1] <= high + 1e-9]
            texts += [text for text in axes.get_xticklabels() if axes.xaxis.get_tick_params()["labelbottom"]]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text().strip()]


# Time


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # 31 March 2024: clocks in Berlin change from 02:00 to 03:00, so 03:00 is 120 minutes after midnight.
        (datetime(2024, 3, 31, tzinfo=ZoneInfo("Europe/Berlin")), [0, 120, 300, 480, 660, 840, 1020, 1200, 1380]),
        # 27 October 2024: clocks change from 03:00 back to 02:00, so 03:00 is 240 minutes after midnight.
        (datetime(2024, 10, 27, tzinfo=ZoneInfo("Europe/Berlin")), [0, 240, 420, 600, 780, 960, 1140, 1320]),
        # A window from 10:13: the first round time is 12:00.
        (datetime(2024, 5, 7, 10, 13, tzinfo=ROME), [107, 287, 467, 647, 827, 1007, 1187, 1367]),
        (datetime(2024, 5, 7, 23, 30, tzinfo=ZoneInfo("Asia/Kolkata")), [30, 210, 390, 570, 750, 930, 1110, 1290]),
    ],
)
def test_ticks_are_at_round_clock_times(start: datetime, expected: list[int]) -> None:
    day = make_day(start=start)
    ticks = clock_ticks(day, 640)
    assert [tick.minute for tick in ticks] == expected
    for tick in ticks:
        moment = start.astimezone(timezone.utc) + timedelta(minutes=tick.minute)
        assert tick.label.split("\n")[0] == moment.astimezone(start.tzinfo).strftime("%H:%M")


def test_dates_are_shown_at_first_tick_and_midnight() -> None:
    labels = [tick.label for tick in clock_ticks(make_day(start=datetime(2024, 5, 7, 10, 13, tzinfo=ROME)), 640)]
    assert [label for label in labels if "\n" in label] == ["12:00\nTue 7 May", "00:00\nWed 8 May"]


@pytest.mark.parametrize("minutes", [30, 90, 600, 1440, 4 * 1440])
@pytest.mark.parametrize("width", [250, 700])
def test_ticks_leave_room_for_their_labels(minutes: int, width: int) -> None:
    day = SensorDay(np.ones((minutes, len(SCHEMA))), datetime(2024, 5, 7, tzinfo=ROME), "p")
    ticks = clock_ticks(day, width)
    assert ticks
    assert (np.diff([tick.minute for tick in ticks]) * width / minutes >= 60).all()


def test_clock_changes() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert clock_changes(make_day(start=datetime(2024, 3, 31, tzinfo=berlin))) == [(120, 60)]
    assert clock_changes(make_day(start=datetime(2024, 10, 27, tzinfo=berlin))) == [(180, -60)]
    assert clock_changes(make_day()) == []


def test_clock_change_is_noted_below_plot() -> None:
    spring = plot_day(make_day(start=datetime(2024, 3, 31, tzinfo=ZoneInfo("Europe/Berlin"))))
    autumn = plot_day(make_day(start=datetime(2024, 10, 27, tzinfo=ZoneInfo("Europe/Berlin"))))
    assert any("clocks go forward 60 min to 03:00" in text.get_text() for text in spring.texts)
    assert any("clocks go back 60 min to 02:00" in text.get_text() for text in autumn.texts)


def test_date_text() -> None:
    assert date_text(make_day(), 0, year=True) == "Tue 7 May 2024"
    assert date_text(make_day(), 1440) == "Wed 8 May"


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_missing_runs(observed: list[bool]) -> None:
    covered = [False] * len(observed)
    for start, length in missing_runs(np.array(observed)):
        assert length > 0
        assert start == 0 or observed[start - 1]
        assert start + length == len(observed) or observed[start + length]
        covered[start : start + length] = [True] * length
    assert covered == [not one for one in observed]


# Events


@st.composite
def event_lists(draw: st.DrawFn) -> tuple[Event, ...]:
    events = []
    for _ in range(draw(st.integers(0, 40))):
        kind = draw(st.sampled_from(["activity", "sleep", "mood"]))
        start = draw(st.integers(0 if kind == "mood" else -100, 1439))
        length = 0 if kind == "mood" else draw(st.integers(1 if start >= 0 else 1 - start, 600))
        events.append(
            Event(kind, draw(st.sampled_from(["a", "running", "x" * 30, "W" * 200, "läuft $5"])), start, start + length)
        )
    return tuple(events)


@settings(max_examples=40, deadline=None)
@given(event_lists(), st.sampled_from([220.0, 306.0, 716.0]))
def test_no_two_events_or_labels_overlap(events: tuple[Event, ...], width: float) -> None:
    day = SensorDay(np.ones((1440, len(SCHEMA))), datetime(2024, 5, 7, tzinfo=ROME), "p", SCHEMA, events)
    strip = lay_out_events(day, width)
    assert sorted(item.event for item in strip.placed) == sorted(events)
    boxes = []
    for item in strip.placed:
        begin = max(item.event.start_minute, 0) * width / 1440
        end = max(min(item.event.end_minute, 1440) * width / 1440, begin + 1)
        if item.label:
            size = text_width(item.label, LABEL_SIZE)
            assert item.label_x >= 0
            assert item.label_x + size <= width + 1e-6
            begin, end = min(begin, item.label_x), max(end, item.label_x + size)
        boxes.append((item.row, begin, end))
    for (row, begin, end), (other, begin2, end2) in combinations(boxes, 2):
        assert row != other or end <= begin2 or end2 <= begin
    assert strip.unlabelled == sum(not item.label for item in strip.placed)
    by_kind = {kind: range(first, first + rows) for kind, first, rows in strip.kinds}
    assert all(item.row in by_kind[item.event.kind] for item in strip.placed)
    for kind, _, rows in strip.kinds:
        labelled = [item for item in strip.placed if item.event.kind == kind and item.label]
        assert rows <= MAX_ROWS or not labelled


def test_the_shortest_events_lose_their_labels() -> None:
    strip = lay_out_events(make_day(BUSY), 716)
    named = [item.event.duration for item in strip.placed if item.event.kind == "activity" and item.label]
    nameless = [item.event.duration for item in strip.placed if item.event.kind == "activity" and not item.label]
    assert nameless
    assert max(nameless) <= min(named)
    assert strip.unlabelled == len(nameless)


def test_few_events_are_all_labelled() -> None:
    strip = lay_out_events(make_day(BUSY[:4]), 716)
    assert [item.label for item in strip.placed] == [event.label for event in BUSY[:4]]


# Days


def test_default_channels() -> None:
    assert default_channels(make_day()) == ("HR", "steps", "eda_level_real", "wrist_temperatures")
    assert default_channels(make_day(missing=("eda_level_real", "wrist_temperatures"))) == (
        "HR",
        "hrv_rr_median",
        "sdnn_percentile_0595",
        "steps",
    )
    assert default_channels(make_day(missing=SCHEMA.keys)) == ("HR", "steps", "eda_level_real", "wrist_temperatures")
    own = get_schema({"name": "own", "channels": [{"key": "glucose", "mean": 100, "std": 20}]})
    day = SensorDay(np.full((60, 1), 90.0), datetime(2024, 5, 7, tzinfo=ROME), "p", own)
    assert default_channels(day) == ("glucose",)


def test_plotted_values_match_data() -> None:
    day = make_day(BUSY)
    figure = plot_day(day, ["HR", "steps"])
    heart, steps = figure.axes[1], figure.axes[2]
    line = heart.lines[0]
    np.testing.assert_array_equal(line.get_ydata(), day.channel("HR").astype(np.float64))
    np.testing.assert_array_equal(line.get_xdata(), np.arange(1440) + 0.5)
    np.testing.assert_array_equal(steps.patches[0].get_data().values, day.channel("steps").astype(np.float64))
    for axes in (heart, steps):
        hatched = [c for c in axes.collections if isinstance(c, PolyCollection) and c.get_hatch()]
        assert len(hatched) == 1
        spans = [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in hatched[0].get_paths()]
        assert spans == [(360, 460)]
        assert axes.get_xlim() == (0, 1440)


def test_isolated_values_between_gaps_are_visible() -> None:
    values = np.full((60, len(SCHEMA)), np.nan)
    values[[10, 20, 21], 0] = 70.0
    figure = plot_day(SensorDay(values, datetime(2024, 5, 7, tzinfo=ROME), "p"), ["HR"])
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert [line.get_xdata().tolist() for line in dots] == [[10.5]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800])
def test_texts_are_inside_figure_without_overlap(theme: str, width: int) -> None:
    day = make_day(BUSY, subject="someone with quite a long name " * 3)
    for figure in (plot_day(day, theme=theme, width=width), plot_heatmap(day, theme, width=width)):
        texts = visible_texts(figure)
        assert len(texts) > 15
        sheet = figure.bbox
        for name, box in texts:
            assert box.x0 >= sheet.x0 - 1, name
            assert box.x1 <= sheet.x1 + 1, name
            assert box.y0 >= sheet.y0 - 1, name
            assert box.y1 <= sheet.y1 + 1, name
        for (name, box), (other, box2) in combinations(texts, 2):
            across = min(box.x1, box2.x1) - max(box.x0, box2.x0)
            down = min(box.y1, box2.y1) - max(box.y0, box2.y0)
            assert across <= 1 or down <= 3, f"{name!r} overlaps {other!r}"  # ascenders of full lines may touch


def test_plots_follow_theme_and_width() -> None:
    light, dark = plot_day(make_day(), width=500), plot_day(make_day(), theme="dark", width=500)
    assert light.get_size_inches()[0] * light.dpi == 500
    assert drawn(light).buffer_rgba().shape[1] == 500
    assert np.mean(to_rgb(light.get_facecolor())) > 0.9
    assert np.mean(to_rgb(dark.get_facecolor())) < 0.2


@pytest.mark.parametrize("name", ["light", "dark"])
def test_colours_have_sufficient_contrast(name: str) -> None:
    theme = get_theme(name)

    def luminance(colour: str) -> float:
        channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot(channels, [0.2126, 0.7152, 0.0722]))

    def contrast(colour: str) -> float:
        low, high = sorted([luminance(colour), luminance(theme.background)])
        return (high + 0.05) / (low + 0.05)

    assert contrast(theme.text) >= 7
    assert contrast(theme.muted) >= 4.5
    assert all(contrast(colour) >= 3 for colour in theme.modalities.values())


def test_global_matplotlib_state_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    day = make_day(BUSY)

    def svg() -> bytes:
        stream = io.BytesIO()
        figure = plot_day(day)
        with matplotlib.rc_context({"svg.hashsalt": "x"}):
            figure.savefig(stream, format="svg", metadata={"Date": None})
        return stream.getvalue()

    before = svg()
    settings_before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "lines.linewidth": 9, "axes.grid": True}):
        assert svg() == before
    assert dict(matplotlib.rcParams) == settings_before
    # Only the object-oriented API is used: pyplot would keep every figure alive.
    sources = Path(__file__).resolve().parents[1] / "src" / "sensorlm_hf" / "plotting"
    for source in sources.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            module = getattr(node, "module", None) or ""
            assert not any("pyplot" in name for name in [*names, module]), source.name


def test_unusual_labels_units_and_lengths() -> None:
    events = (Event("activity", "5$ run_{x}^ $", 10, 40), Event("mood", r"\frac{a}", 50, 50))
    own = get_schema({"name": "o$", "channels": [{"key": "x$", "label": "$a_{b", "mean": 0, "std": 1, "unit": "m^2$"}]})
    day = SensorDay(np.zeros((61, 1)), datetime(2024, 5, 7, 23, 50, tzinfo=timezone.utc), "$s_{1}", own, events)
    for figure in (plot_day(day), plot_heatmap(day)):
        drawn(figure)
    empty = make_day(missing=SCHEMA.keys)
    drawn(plot_day(empty))
    drawn(plot_heatmap(empty))
    drawn(plot_day(make_day(schema="sensorlm-34", minutes=3000), theme="dark"))
    drawn(plot_day(SensorDay(np.ones((1, 26)), datetime(2024, 5, 7, tzinfo=ROME), "p")))


def test_all_channels_by_modality() -> None:
    figure = plot_day(make_day(), list(reversed(SCHEMA.keys)))
    titles = [axes.texts[0].get_text() for axes in figure.axes]
    assert titles[0] == "heart rate (bpm)"
    assert titles[-1] == "altitude variation (normalised)"
    assert "skin temperature (°C)" in titles
    assert len(titles) == 26


def test_invalid_arguments_raise() -> None:
    day = make_day()
    with pytest.raises(TypeError, match="SensorDay"):
        plot_day(day.values)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="SensorDay"):
        plot_heatmap(day.values)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no channel 'pulse'"):
        plot_day(day, ["pulse"])
    with pytest.raises(TypeError, match="list of channel keys"):
        plot_day(day, "HR")
    with pytest.raises(ValueError, match="empty"):
        plot_day(day, [])
    with pytest.raises(ValueError, match="repeats HR"):
        plot_day(day, ["HR", "HR"])
    with pytest.raises(ValueError, match="light, dark"):
        plot_day(day, theme="sepia")
    with pytest.raises(ValueError, match="between 300 and 4000"):
        plot_day(day, width=20)
    with pytest.raises(TypeError, match="pixels"):
        plot_heatmap(day, width=8.5)  # type: ignore[arg-type]
    assert get_theme(THEMES["dark"]) is THEMES["dark"]


# Heat maps


def test_heat_map_shows_standard_deviations() -> None:
    values = np.full((1440, len(SCHEMA)), np.nan)
    values[:, 0] = SCHEMA["HR"].mean
    values[100:200, 0] += 1.5 * SCHEMA["HR"].std
    values[200:300, 0] = np.nan
    figure = plot_heatmap(SensorDay(values, datetime(2024, 5, 7, tzinfo=ROME), "p"))
    image = figure.axes[0].images[0].get_array()
    assert image.shape == (26, 1440)
    np.testing.assert_allclose(image[0, 100:200], 1.5, atol=1e-5)
    np.testing.assert_allclose(image[0, :100], 0, atol=1e-5)
    np.testing.assert_array_equal(np.ma.getmaskarray(image), np.isnan(values).T)
    hatched = [c for c in figure.axes[0].collections if c.get_hatch()]
    assert len(hatched) == 26
    assert [tuple(path.vertices[:, 0][[0, 2]]) for path in hatched[0].get_paths()] == [(200, 300)]
    assert figure.axes[0].get_yticklabels()[0].get_text() == "heart rate"


def test_shorten() -> None:
    assert shorten("running", 8, 500) == "running"
    cut = shorten("a very long label indeed", 8, 60)
    assert cut.endswith("…")
    assert text_width(cut, 8) <= 60


def test_notebook_representation() -> None:
    figure = plot_day(simulate_days(1, seed=1)[0], width=640)
    data, shown = figure._repr_png_()  # type: ignore[attr-defined]
    assert data.startswith(b"\x89PNG")
    assert shown["width"] == 640
    assert int.from_bytes(data[16:20], "big") == 2 * 640

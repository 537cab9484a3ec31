"""Plots of results: timelines of label scores and maps of embeddings."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.plotting import plot_confusion, plot_embedding_map, plot_lines, plot_roc, plot_timeline
from sensorlm_hf.plotting.embedding_map import project

LABELS = ["sleep", "office work", "a very long label that nobody would ever fit into a row of this picture"]


def make_day() -> SensorDay:
    events = (
        Event("sleep", "sleep", -60, 400),
        Event("activity", "office work", 500, 900),
        Event("mood", "calm", 600, 600),
    )
    return SensorDay(np.ones((1440, 26)), datetime(2024, 5, 7, tzinfo=ZoneInfo("Europe/Rome")), "p1", events=events)


def make_timeline(missing: range = range(30, 40)) -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {
            "start_minute": 10 * step,
            "end_minute": 10 * step + 10,
            "scores": None if step in missing else dict(zip(LABELS, rng.dirichlet([1, 1, 1]).tolist(), strict=True)),
        }
        for step in range(144)
    ]


def texts(figure: Figure) -> list[str]:
    FigureCanvasAgg(figure).draw()
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in (*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels())]
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800])
def test_plotted_values_match_scores(theme: str, width: int) -> None:
    timeline = make_timeline()
    figure = plot_timeline(make_day(), {"scores": [], "timeline": timeline}, theme, width=width)
    assert figure.get_size_inches()[0] * figure.dpi == width
    mesh = next(c for axes in figure.axes for c in axes.collections if isinstance(c, QuadMesh))
    drawn = mesh.get_array()
    assert drawn.shape == (3, 144)
    assert drawn.mask[:, 30:40].all()
    assert drawn[1, 50] == pytest.approx(timeline[50]["scores"]["office work"])
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert len(dots) == 134
    step_50 = next(line for line in dots if line.get_xdata()[0] == 505)
    scores = list(timeline[50]["scores"].values())
    assert step_50.get_ydata()[0] == scores.index(max(scores))
    assert {"sleep", "office work", "log", "not observed"} <= set(texts(figure))


def test_labels_can_be_chosen_and_ordered() -> None:
    figure = plot_timeline(make_day(), make_timeline(), labels=["office work", "sleep"], title="A day")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["office work", "sleep"]
    assert "A day" in texts(figure)


def test_day_without_log_has_no_log_row() -> None:
    day = make_day()
    bare = SensorDay(day.values, day.start, "p1")
    assert "log" not in texts(plot_timeline(bare, make_timeline()))


def test_invalid_timelines_raise() -> None:
    day = make_day()
    with pytest.raises(ValueError, match="no scores of running; it has sleep"):
        plot_timeline(day, make_timeline(), labels=["running"])
    with pytest.raises(ValueError, match="1 to 30 labels"):
        plot_timeline(day, make_timeline(missing=range(144)))
    with pytest.raises(TypeError, match="return_timeline=True"):
        plot_timeline(day, [])
    with pytest.raises(ValueError, match="ends at minute 1440"):
        plot_timeline(SensorDay(day.values[:700], day.start, "p"), make_timeline())


@pytest.mark.parametrize(("theme", "method"), [("light", "pca"), ("dark", "tsne")])
def test_map_shows_every_point_of_every_class(theme: str, method: str) -> None:
    rng = np.random.default_rng(0)
    labels = [f"class {k}" for k in rng.integers(0, 20, 120)]
    figure = plot_embedding_map(rng.normal(size=(120, 8)), labels, theme, method=method)
    drawn = [c for c in figure.axes[0].collections if len(c.get_offsets())]
    assert sum(len(c.get_offsets()) for c in drawn) == 120
    looks = {
        (tuple(c.get_facecolor()[0]), len(c.get_paths()[0].vertices), str(c.get_paths()[0].vertices[:2])) for c in drawn
    }
    assert len(looks) == len(set(labels))
    legend = [text.get_text() for text in figure.texts]
    assert all(any(entry.startswith(f"{label} (") for entry in legend) for label in set(labels))


def test_principal_components_maximise_variance() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5)) * [1, 9, 1, 5, 1]
    points = project(x)
    assert abs(np.corrcoef(points[:, 0], x[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(points[:, 1], x[:, 3])[0, 1]) > 0.98
    assert (project(-x)[:, 0] == pytest.approx(-points[:, 0])) or (project(-x)[:, 0] == pytest.approx(points[:, 0]))


def test_invalid_maps_raise() -> None:
    x = np.random.default_rng(0).normal(size=(40, 4))
    with pytest.raises(ValueError, match="one label per row"):
        plot_embedding_map(x, ["a"])
    with pytest.raises(ValueError, match="at most 35"):
        plot_embedding_map(x, [str(i) for i in range(40)])
    with pytest.raises(ValueError, match="pca, tsne"):
        project(x, "umap")
    with pytest.raises(ValueError, match="N >= 3"):
        project(x[:2])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_roc_curves_are_drawn_and_labelled(theme: str) -> None:
    curves = {f"class {k}": ([0, 0.1 * k / 9, 1], [0, 0.8, 1]) for k in range(9)}
    figure = plot_roc(curves, theme, areas={"class 3": 0.876}, width=360)
    lines = figure.axes[0].get_lines()[:9]
    assert [line.get_xdata()[1] for line in lines] == pytest.approx([0.1 * k / 9 for k in range(9)])
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 9
    assert "class 3  0.88" in texts(figure)
    with pytest.raises(ValueError, match="no curve"):
        plot_roc({})


def test_confusion_matrix_is_normalised_by_true_class() -> None:
    figure = plot_confusion(np.array([[9, 1], [0, 0]]), ["sleep", "light"], "dark")
    assert {"90", "10"} <= set(texts(figure))
    drawn = figure.axes[0].images[0].get_array()
    assert drawn.tolist() == [[0.9, 0.1], [0, 0]]
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        plot_confusion(np.zeros((2, 2)), ["a", "b", "c"])


def test_lines_on_logarithmic_axis() -> None:
    lines = {"R@1": ([100, 1000], [0.5, 0.2]), "R@10": ([100, 1000], [0.9, 0.6])}
    bands = {"R@1": ([0.4, 0.1], [0.6, 0.3])}
    fits = {"R@10": ([100, 1000], [0.9, 0.6])}
    figure = plot_lines(lines, x_label="candidates", y_label="share", bands=bands, fits=fits)
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["100", "1,000"]
    assert len(axes.collections) == 1
    assert {"R@1", "R@10"} <= set(texts(figure))
    with pytest.raises(ValueError, match="logarithmic"):
        plot_lines({"x": ([0, 1], [1, 2])}, x_label="", y_label="")


@pytest.mark.parametrize("width", [320, 800])
def test_size_labels_do_not_overlap(width: int) -> None:
    sizes = [1.5e12, 3.1e12, 3.6e12, 6.3e12, 1.3e13, 2.5e13, 9.3e13]
    figure = plot_lines({"AUROC": (sizes, [0.5] * 7)}, x_label="operations", y_label="score", width=width)
    figure.canvas.draw()
    shown = [label for label in figure.axes[0].get_xticklabels() if label.get_text()]
    assert len(figure.axes[0].get_xticks()) == 7
    assert shown[0].get_text() == "1.5e+12"
    assert len(shown) < 7
    boxes = [label.get_window_extent() for label in shown]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))

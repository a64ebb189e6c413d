"""Looks, layout and saving."""

import functools
import os
import xml.etree.ElementTree

import matplotlib
import numpy as np
import PIL.Image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from jaxdqn.figures import learning_curves, style
from tests.helpers import synthetic_runs

ALGORITHMS = ["DQN", "double DQN", "dueling", "prioritized", "n-step", "noisy", "C51", "Rainbow"]
GAMES = ["catch", "breakout", "cartpole", "deep_sea", "mountain_car", "freeway"]
PROVENANCE = "Study example: 2 runs, 1 seed each (0). " * 6


def draw(games=1, algorithms=2, seeds=1):
    runs = [
        synthetic_runs.run(game=game, algorithm=algorithm, seed=seed)
        for game in GAMES[:games]
        for algorithm in ALGORITHMS[:algorithms]
        for seed in range(seeds)
    ]
    return learning_curves.learning_curves(runs, order=ALGORITHMS, title="A title")


def test_eight_algorithms_differ_in_colour_and_in_grey_print():
    looks = style.styles(ALGORITHMS).values()
    assert len({look.color for look in looks}) == 8
    assert len({str(look.line) for look in looks}) == 8
    assert len({look.marker for look in looks}) == 8


def test_more_algorithms_than_colours_still_differ():
    looks = style.styles(str(number) for number in range(24)).values()
    assert len({(look.color, look.marker) for look in looks}) == 24


def test_colours_stand_out_from_white_paper():
    def luminance(color):  # WCAG 2, relative luminance
        channels = np.array(matplotlib.colors.to_rgb(color))
        linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    for look in style.styles(ALGORITHMS).values():
        assert 1.05 / (luminance(look.color) + 0.05) > 2.0, look.color


def test_styles_follow_the_order_of_appearance_and_a_given_order_keeps_them():
    whole = style.styles(["b", "a", "b", "c"])
    assert list(whole) == ["b", "a", "c"]
    part = style.styles(["c", "a"], order=["b", "a", "c"])
    assert list(part) == ["a", "c"]
    assert part == {label: whole[label] for label in ("a", "c")}


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (500, "500"), (1000, "1k"), (12_500, "12.5k"), (1_000_000, "1M"), (2_500_000, "2.5M"), (5e9, "5G")],
)
def test_counts_are_readable(count, text):
    assert style.readable(count) == text


def test_a_figure_is_saved_as_png_and_svg_with_its_provenance_inside(tmp_path):
    figure = draw()
    paths = style.save(figure, tmp_path / "new" / "rate_0.001", "Study catch: 10 seeds (0-9).")
    assert paths == [tmp_path / "new" / "rate_0.001.png", tmp_path / "new" / "rate_0.001.svg"]
    expected = f"{figure.get_label()} Study catch: 10 seeds (0-9)."
    assert "IQM over seeds" in expected
    with PIL.Image.open(paths[0]) as image:
        assert image.text["Description"] == expected
        assert image.text["Title"] == "rate_0.001"
        assert image.info["dpi"][0] == pytest.approx(200, abs=0.1)
    document = xml.etree.ElementTree.parse(paths[1])
    dublin = "{http://purl.org/dc/elements/1.1/}"
    assert document.find(f".//{dublin}description").text == expected
    assert document.find(f".//{dublin}title").text == "rate_0.001"
    assert sorted(os.listdir(tmp_path / "new")) == ["rate_0.001.png", "rate_0.001.svg"]


def test_equal_figures_give_equal_files(tmp_path):
    first, second = (style.save(draw(seeds=2), tmp_path / name / "figure", PROVENANCE) for name in ("1", "2"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_saving_leaves_the_figure_and_the_settings_of_matplotlib_as_they_were(tmp_path):
    before = dict(matplotlib.rcParams)
    figure = draw()
    texts, size = list(figure.texts), figure.get_size_inches().tolist()
    first = [path.read_bytes() for path in style.save(figure, tmp_path / "figure", PROVENANCE)]
    assert (list(figure.texts), figure.get_size_inches().tolist()) == (texts, size)
    assert dict(matplotlib.rcParams) == before
    assert [path.read_bytes() for path in style.save(figure, tmp_path / "figure", PROVENANCE)] == first


def test_a_figure_that_cannot_be_drawn_leaves_the_old_files(tmp_path, monkeypatch):
    paths = style.save(draw(), tmp_path / "figure", PROVENANCE)
    before = [path.read_bytes() for path in paths]
    monkeypatch.setattr(os, "replace", lambda *names: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        style.save(draw(algorithms=3), tmp_path / "figure", PROVENANCE)
    assert [path.read_bytes() for path in paths] == before
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("name", ["figure.png", "figure.svg"])
def test_a_path_with_a_suffix_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="give the path without it"):
        style.save(draw(), tmp_path / name, PROVENANCE)


@pytest.mark.parametrize(("games", "algorithms"), [(1, 1), (1, 8), (2, 3), (3, 8), (5, 2), (6, 8)])
def test_nothing_overlaps_and_nothing_is_cut_off(tmp_path, monkeypatch, games, algorithms):
    figure = draw(games, algorithms)
    drawn = []
    print_png = FigureCanvasAgg.print_png

    @functools.wraps(print_png)  # matplotlib reads its signature
    def look_while_saving(canvas, *arguments, **keywords):
        print_png(canvas, *arguments, **keywords)
        renderer = canvas.get_renderer()
        (legend,), (*_, caption) = figure.legends, figure.texts
        boxes = [panel.get_tightbbox(renderer) for panel in figure.axes]
        boxes += [artist.get_window_extent(renderer) for artist in (legend, caption, figure._suptitle)]
        drawn.append((figure.bbox.frozen(), boxes))

    monkeypatch.setattr(FigureCanvasAgg, "print_png", look_while_saving)
    style.save(figure, tmp_path / "figure", PROVENANCE)
    ((paper, boxes),) = drawn
    assert len(boxes) == games + 3
    for index, box in enumerate(boxes):
        assert paper.x0 <= box.x0 < box.x1 <= paper.x1
        assert paper.y0 <= box.y0 < box.y1 <= paper.y1
        for other in boxes[:index]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(across, along) <= 1.0  # a pixel may be shared by rounding


def test_a_caption_makes_the_figure_higher_and_no_wider(tmp_path):
    sizes = []
    for name, text in (("short", "Short."), ("long", PROVENANCE * 3)):
        with PIL.Image.open(style.save(draw(), tmp_path / name, text)[0]) as image:
            sizes.append(image.size)
    (width, height), (width_of_long, height_of_long) = sizes
    assert width_of_long == width
    assert height_of_long > height + 100

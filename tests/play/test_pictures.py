import io
import re
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageSequence

from jaxdqn.play import pictures
from tests.helpers import trained

BLACK, GREY, WHITE = ((level, level, level) for level in (0, 100, 255))


def board(row, height=4, width=5):
    """Returns a white board with a black cell in the middle of a row."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[row, width // 2] = 0
    return picture


def drawing(number, height=200, width=300):
    """Returns an image of many colours with a moving rectangle."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([rows % 256, columns % 256, np.full_like(rows, 128)], axis=-1).astype(np.uint8)
    picture[50:100] = WHITE
    picture[60:80, number : number + 20] = BLACK
    return picture


def opened(content):
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))]


def test_an_animation_contains_every_frame_of_every_episode_unchanged():
    episodes = [[board(row) for row in (0, 1, 2)], [board(row) for row in (3, 0)]]
    frames = opened(pictures.gif(episodes, 0.2))
    expected = [frame for episode in episodes for frame in episode]
    np.testing.assert_array_equal(np.stack([np.asarray(frame) for frame in frames]), np.stack(expected))


def test_an_animation_has_the_pace_of_the_game_and_pauses_at_the_end_of_an_episode():
    content = pictures.gif([[board(row) for row in (0, 1, 2)], [board(row) for row in (3, 0)]], 0.2)
    image = Image.open(io.BytesIO(content))
    durations = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
    assert durations == [200, 200, 1000, 200, 1000]
    assert image.info["loop"] == 0


def test_frames_of_an_animation_last_at_least_20_milliseconds():
    image = Image.open(io.BytesIO(pictures.gif([[board(0), board(1), board(2)]], 0.001)))
    assert image.info["duration"] == 20


def test_common_colours_of_an_animation_are_exact_and_the_file_is_small():
    frames = [drawing(number) for number in range(250)]
    content = pictures.gif([frames], 0.04)
    first = opened(content)[0]
    assert first.getpixel((250, 55)) == WHITE
    assert first.getpixel((5, 70)) == BLACK
    assert np.abs(np.asarray(first, int) - frames[0]).max() < 48
    assert len(content) < 200_000


def test_a_strip_has_one_row_per_episode_of_evenly_spaced_frames_from_first_to_last():
    episodes = [[trained.colours(step) for step in range(101)], [trained.colours(200), trained.colours(210)]]
    sheet = np.asarray(Image.open(io.BytesIO(pictures.strip(episodes, 1.0))))
    stride = 1 + pictures.GAP
    assert sheet.shape == (1 + stride, 5 * stride + 1, 3)
    assert sheet[0, ::stride, 0].tolist() == [0, 20, 40, 60, 80, 100]
    assert sheet[stride, ::stride, 0].tolist() == [200, 210, 255, 255, 255, 255]


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX warns when ffmpeg starts
def test_a_film_has_every_frame_and_even_sides(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    frames = [drawing(number, height=101, width=151) for number in range(10)]
    (tmp_path / "film.mp4").write_bytes(pictures.mp4([frames], 0.1))
    command = [ffmpeg, "-i", tmp_path / "film.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    film = np.frombuffer(done.stdout, np.uint8).reshape(-1, 100, 150, 3)
    assert b"10 fps" in done.stderr
    assert len(film) == 10 + 10  # the last frame is shown for a second
    assert np.abs(film[5].astype(int) - frames[5][:100, :150]).mean() < 10


@pytest.mark.parametrize(
    ("shape", "width", "expected"),
    [
        ((10, 10), 300, (300, 300)),
        ((4, 7), 300, (168, 294)),
        ((10, 20), 16, (10, 20)),
        ((400, 600), 300, (200, 300)),
        ((400, 600), 1000, (400, 600)),
        ((210, 160), 100, (131, 100)),
    ],
)
def test_boards_are_enlarged_and_other_frames_are_shrunk(shape, width, expected):
    picture = np.zeros((*shape, 3), np.uint8)
    picture[0, 0] = GREY
    resized = pictures.resized(picture, width)
    assert resized.shape[:2] == expected
    assert resized.dtype == np.uint8


def test_a_large_cell_has_the_colour_of_the_cell():
    large = pictures.resized(trained.colours(10, 20), 6)
    assert large[..., 0].tolist() == [[10, 10, 10, 20, 20, 20]] * 3


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("film.avi", "has the suffix '.avi': use one of .gif, .png, .mp4."),
        ("film", "has the suffix '': use one of"),
        ("mine.gif", "exists and is not overwritten: delete it, or use another name."),
        ("no/film.gif", "is not a writable folder: create it, or correct the path."),
    ],
)
def test_a_file_that_cannot_be_written_raises_an_error_before_anything_is_rendered(tmp_path, name, sentence):
    (tmp_path / "mine.gif").write_bytes(b"")
    with pytest.raises((ValueError, OSError), match=re.escape(sentence)):
        pictures.encoder(tmp_path / name)


def test_error_for_missing_imageio_names_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=re.escape('needs imageio: pip install "jaxdqn[video]", or use .gif')):
        pictures.encoder(tmp_path / "film.mp4")


def test_the_case_of_a_suffix_does_not_matter(tmp_path):
    assert pictures.encoder(tmp_path / "film.GIF") is pictures.gif


def test_frames_that_grow_get_a_black_margin():
    small, large = board(0, height=2, width=3), board(1, height=4, width=5)
    [[first, second], [third]] = pictures.of_one_size([[small, large], [small]])
    np.testing.assert_array_equal(second, large)
    np.testing.assert_array_equal(first, third)
    np.testing.assert_array_equal(first[:2, :3], small)
    assert first.shape == large.shape
    assert not first[2:].any()
    assert not first[:, 3:].any()

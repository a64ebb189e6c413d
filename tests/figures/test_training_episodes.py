"""Episode figures: what is drawn is what the files of the runs say."""

import os

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection

from jaxdqn.analysis import resampling, statistics
from jaxdqn.figures import captions, style, training_episodes
from jaxdqn.store import store
from tests.helpers import synthetic_runs


def stored(folder, returns, **described):
    """Returns a stored run of these episodes, each of ten steps."""
    facts = synthetic_runs.facts(**described)
    store.write(folder, facts, synthetic_runs.curves(), {"episodes": synthetic_runs.episodes(returns)})
    return store.find(folder, facts["id"])


def rising(folder, *, seeds=3, count=40, **described):
    """Returns runs of an arm whose seeds differ and finish ever more episodes."""
    generator = np.random.default_rng(0)
    return [
        stored(folder, np.arange(count + seed) + generator.normal(scale=5, size=count + seed), seed=seed, **described)
        for seed in range(seeds)
    ]


def dots(panel):
    (collection,) = [artist for artist in panel.collections if isinstance(artist, PathCollection)]
    return sorted(map(tuple, collection.get_offsets().tolist()))


def titles(figure):
    return [panel.get_title() for panel in figure.axes]


def test_a_line_is_the_statistic_over_seeds_of_the_trailing_mean_inside_each(tmp_path):
    returns = ([0, 2, 4, 9], [1, 3, 5, 4], [0.5, 2.5, 4.5, 6.5])
    runs = [stored(tmp_path, values, seed=seed) for seed, values in enumerate(returns)]
    (panel,) = training_episodes.episode_curves(runs, window=2, statistic=statistics.mean).axes
    (line,) = panel.lines
    assert line.get_xdata().tolist() == [2, 3, 4]  # a mean of fewer than two episodes is not drawn
    assert line.get_ydata().tolist() == [1.5, 3.5, 5.5]  # seeds: 1, 3, 6.5, then 2, 4, 4.5, then 1.5, 3.5, 5.5
    (band,) = [artist for artist in panel.collections if isinstance(artist, PolyCollection)]
    heights = band.get_paths()[0].vertices[:, 1]
    means = np.array([[1.0, 2.0, 1.5], [3.0, 4.0, 3.5], [6.5, 4.5, 5.5]]).T  # [seeds, windows]
    expected = resampling.interval(means, statistics.mean, np.random.default_rng(0))
    assert (heights.min(), heights.max()) == (np.min(expected.low), np.max(expected.high))


def test_behind_the_line_lies_every_episode_of_every_seed_in_grey(tmp_path):
    runs = [stored(tmp_path, [0, 2], seed=0), stored(tmp_path, [1, 3], seed=1)]
    figure = training_episodes.episode_curves(runs, window=1)
    (panel,) = figure.axes
    assert dots(panel) == [(1, 0), (1, 1), (2, 2), (2, 3)]
    (collection,) = [artist for artist in panel.collections if isinstance(artist, PathCollection)]
    red, green, blue, alpha = collection.get_facecolor()[0]
    assert red == green == blue
    assert alpha < 0.5
    (band,) = [artist for artist in panel.collections if isinstance(artist, PolyCollection)]
    assert collection.get_zorder() < band.get_zorder() < panel.lines[0].get_zorder()
    assert "Dots: every episode of every seed." in figure.get_label()


def test_a_figure_of_too_many_episodes_shows_some_and_lists_them(tmp_path):
    runs = [stored(tmp_path, np.arange(4000) + seed, seed=seed) for seed in range(5)]  # 20,000 for 12,000 dots
    figure = training_episodes.episode_curves(runs, window=1)
    assert dots(figure.axes[0])[:3] == [(2, 1), (2, 2), (2, 3)]
    assert len(dots(figure.axes[0])) == 10_000
    assert dots(figure.axes[0])[-1] == (4000, 4003)
    assert "Dots: one in 2 episodes of every seed." in figure.get_label()


def test_an_arm_of_few_episodes_shows_all_of_them_beside_one_of_many(tmp_path):
    many = stored(tmp_path, np.arange(7000))  # of 12,000 dots each of two panels has half
    few = stored(tmp_path, np.arange(30), algorithm="C51")
    figure = training_episodes.episode_curves([many, few], window=1)
    assert [len(dots(panel)) for panel in figure.axes] == [3500, 30]
    assert "Dots: one in 1 to 2 episodes, by panel, of every seed." in figure.get_label()


def test_the_last_mean_is_drawn_however_many_there_are(tmp_path):
    runs = [stored(tmp_path, np.arange(5000), seed=seed) for seed in range(2)]
    (line,) = training_episodes.episode_curves(runs, window=100).axes[0].lines
    assert 100 < len(line.get_xdata()) <= 300
    assert (line.get_xdata()[-1], line.get_ydata()[-1]) == (5000, 4949.5)  # the mean of 4900 to 4999
    assert len(set(np.diff(line.get_xdata()))) == 1


def test_a_panel_ends_with_the_last_episode_that_every_seed_finished(tmp_path):
    runs = [stored(tmp_path, [1, 2, 3, 4], seed=0), stored(tmp_path, [1, 2, 3], seed=1)]
    figure = training_episodes.episode_curves(runs, window=1)
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2, 3]
    assert max(dots(figure.axes[0])) == (3, 3)
    assert "A panel ends with the last episode that every seed of its arm finished." in figure.get_label()


def test_fewer_episodes_can_be_requested(tmp_path):
    runs = [stored(tmp_path, [1, 2, 3, 4], seed=0), stored(tmp_path, [1, 2, 3], seed=1)]
    figure = training_episodes.episode_curves(runs, window=1, num_episodes=2)
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2]
    assert "A panel ends with episode 2, or before it with the last episode that every seed" in figure.get_label()
    assert training_episodes.episode_curves(runs, window=1, num_episodes=9).axes[0].lines[0].get_xdata().tolist() == [
        1,
        2,
        3,
    ]


def test_a_figure_reports_a_full_log(tmp_path):
    runs = [stored(tmp_path, np.arange(1500), seed=seed, episodes_logged=1500) for seed in (0, 1)]
    runs += [stored(tmp_path, [1, 2, 3], algorithm="C51", episodes_logged=1500)]
    ending = "A panel ends with the last episode that every seed of its arm finished"
    logged = ", or with episode 1,500, beyond which none was logged."
    assert ending + logged in training_episodes.episode_curves(runs, window=1).get_label()
    assert ending + "." in training_episodes.episode_curves(runs[2:], window=1).get_label()
    assert "logged" not in training_episodes.episode_curves(runs, window=1, num_episodes=9).get_label()


def test_there_is_a_panel_an_arm_in_the_colour_that_its_algorithm_has_elsewhere(tmp_path):
    runs = rising(tmp_path) + rising(tmp_path, algorithm="C51", seeds=2)
    figure = training_episodes.episode_curves(runs, window=5, order=["C51", "DQN"], title="Which?")
    assert titles(figure) == ["C51 (n = 2)", "DQN (n = 3)"]
    assert figure.get_suptitle() == "Which?"
    looks = style.styles(["C51", "DQN"])
    assert [panel.lines[0].get_color() for panel in figure.axes] == [looks["C51"].color, looks["DQN"].color]


def test_panels_of_a_game_share_their_axes_and_name_it_if_there_are_several(tmp_path):
    runs = [
        stored(tmp_path, values, game=game, algorithm=algorithm)
        for game, algorithm, values in (
            ("catch", "DQN", [-1, 1, 1]),
            ("breakout", "DQN", [10, 20]),
            ("catch", "C51", [-8, 0, 0, 0, 2]),
        )
    ]
    figure = training_episodes.episode_curves(runs, window=1)
    assert titles(figure) == ["catch: DQN (n = 1)", "catch: C51 (n = 1)", "breakout: DQN (n = 1)"]
    one, two, other = figure.axes
    assert one.get_ylim() == two.get_ylim()
    assert one.get_xlim() == two.get_xlim()
    assert one.get_ylim()[0] < -8 < 2 < one.get_ylim()[1]
    assert other.get_ylim()[0] > 2
    assert other.get_xlim()[1] < 4


def test_another_array_is_drawn_after_its_transform(tmp_path):
    runs = [stored(tmp_path, [-1, 1, 1, 1], seed=0), stored(tmp_path, [-1, -1, 1, 1], seed=1)]
    figure = training_episodes.episode_curves(
        runs, window=2, y="last_reward", transform=lambda game, rewards: rewards > 0, ylabel="win rate"
    )
    (panel,) = figure.axes
    assert panel.lines[0].get_ydata().tolist() == [0.25, 0.75, 1.0]
    assert {height for _, height in dots(panel)} == {0, 1}
    assert panel.get_ylabel() == "win rate"
    assert panel.get_xlabel() == "training episode"
    assert "IQM over seeds of each seed's mean over its last 2 episodes" in figure.get_label()


def test_reference_lines_lie_in_every_panel_of_their_game_and_are_named_once(tmp_path):
    runs = rising(tmp_path) + rising(tmp_path, algorithm="C51") + rising(tmp_path, game="breakout")
    figure = training_episodes.episode_curves(runs, window=5, reference_lines={"catch": {"solved": 195.0}})
    heights = [[line.get_ydata()[0] for line in panel.lines[1:]] for panel in figure.axes]
    assert heights == [[195.0], [195.0], []]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["solved"]
    assert all(panel.get_ylim()[1] > 195 for panel in figure.axes[:2])
    assert not training_episodes.episode_curves(runs, window=5).legends


def test_a_figure_of_no_runs_is_refused():
    with pytest.raises(ValueError, match="No runs to draw: run the study first, or choose other runs"):
        training_episodes.episode_curves([], window=1)


@pytest.mark.parametrize("window", [0, 41])
def test_a_window_without_a_place_in_every_run_is_refused(tmp_path, window):
    runs = rising(tmp_path)
    with pytest.raises(ValueError, match=f"window = {window} is out of range: .* DQN on catch .* 40 episodes"):
        training_episodes.episode_curves(runs, window=window)


def test_an_array_that_the_episodes_do_not_have_is_refused_with_those_they_have(tmp_path):
    with pytest.raises(ValueError, match="no episode array 'length': choose from end_step, episode_return"):
        training_episodes.episode_curves(rising(tmp_path), window=5, y="length")


def test_a_run_without_episodes_is_refused(tmp_path):
    facts = synthetic_runs.facts()
    store.write(tmp_path, facts, synthetic_runs.curves())
    with pytest.raises(ValueError, match="no 'episodes' attached"):
        training_episodes.episode_curves(store.read(tmp_path).runs, window=5)


def test_a_long_label_stays_within_its_panel(tmp_path):
    settings = {"optimizer.learning_rate": 0.001, "network.widths": [128, 128], "replay.capacity": 100_000}
    runs = [
        run for rate in (0.001, 0.01) for run in rising(tmp_path, settings=settings | {"optimizer.learning_rate": rate})
    ]
    figure = training_episodes.episode_curves(runs, window=5)
    figure.canvas.draw()
    for panel in figure.axes:
        assert panel.title.get_window_extent().width < 1.25 * panel.get_window_extent().width


def test_ten_seeds_of_ten_thousand_episodes_an_arm_make_small_files_that_are_always_the_same(tmp_path):
    generator = np.random.default_rng(0)
    runs = [
        stored(tmp_path / "runs", 200 * (1 - np.exp(-np.arange(10_000) / 2000)) * generator.gamma(2, 1, 10_000), **cell)
        for cell in [{"algorithm": name, "seed": seed} for name in ("DQN", "C51", "PER", "IQN") for seed in range(10)]
    ]
    files = []
    for name in ("one", "other"):
        figure = training_episodes.episode_curves(runs, window=100)
        files.append(style.save(figure, tmp_path / name / "episodes", captions.provenance(runs)))
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert os.path.getsize(one) < 400_000

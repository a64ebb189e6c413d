"""Nothing that puts arms side by side does so for runs of several protocols."""

import pytest

from jaxdqn.analysis import study_tables, time_to_solve
from jaxdqn.figures import episodes_to_solve, intervals, learning_curves, sensitivity, training_episodes
from tests.helpers import synthetic_runs

SHOW = {
    "learning curves": learning_curves.learning_curves,
    "intervals": lambda runs: intervals.intervals(runs, lambda game, scores: scores),
    "sensitivity": sensitivity.sensitivity,
    "episodes": lambda runs: training_episodes.episode_curves(runs, window=1),
    "scaling": lambda runs: episodes_to_solve.scaling(runs, {"catch": 1}, lambda returns: returns > 0),
    "table": study_tables.table,
    "table of first steps": lambda runs: study_tables.first_reached(runs, {"catch": 0.0}),
    "table of episodes": lambda runs: study_tables.episodes(runs, {"first": slice(1)}),
    "table of solved runs": lambda runs: time_to_solve.table(runs, lambda returns: returns > 0),
}


@pytest.mark.parametrize("show", SHOW.values(), ids=SHOW)
def test_runs_of_two_protocols_are_refused_with_the_difference(show):
    runs = [
        synthetic_runs.run(
            algorithm=algorithm,
            seed=seed,
            settings={"learning_rate": 0.1},
            evaluation={"every": 500, "episodes": number, "epsilon": 0.0},
        )
        for algorithm, number in (("DQN", 100), ("double DQN", 20))
        for seed in range(3)
    ]
    with pytest.raises(ValueError, match=r"differ in evaluation.episodes \(100 and 20\) and cannot be compared"):
        show(runs)

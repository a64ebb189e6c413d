"""When a game is solved: by counting, and with times that nobody has seen."""

import math

import numpy as np
import pytest
import scipy.stats

from jaxdqn.analysis import time_to_solve
from jaxdqn.store import store
from tests.helpers import synthetic_runs


def stored(folder, returns, **described):
    facts = synthetic_runs.facts(**described)
    store.write(folder, facts, synthetic_runs.curves(), {"episodes": synthetic_runs.episodes(returns)})
    return store.find(folder, facts["id"])


def test_a_game_is_solved_with_the_tenth_success_among_the_last_hundred_episodes():
    succeeded = np.zeros(500, bool)
    succeeded[10:200:12] = True  # never ten of a hundred
    assert time_to_solve.solved_at(succeeded) == math.inf
    succeeded[300:305] = succeeded[390:395] = True
    assert time_to_solve.solved_at(succeeded) == 395
    assert time_to_solve.solved_at(succeeded[:394]) == math.inf


def test_a_success_counts_for_a_hundred_episodes_and_no_longer():
    succeeded = np.zeros(300, bool)
    succeeded[:9] = True
    late = succeeded.copy()
    succeeded[99], late[100] = True, True
    assert time_to_solve.solved_at(succeeded) == 100
    assert time_to_solve.solved_at(late) == math.inf


@pytest.mark.parametrize("number", [6, 7, 9, 10, 20, 30])
def test_the_interval_of_a_median_covers_by_the_binomial_distribution(number):
    estimate = time_to_solve.median(np.arange(1.0, number + 1))
    rank = int(estimate.low)
    assert estimate.high == number + 1 - rank
    assert 1 - 2 * scipy.stats.binom.cdf(rank - 1, number, 0.5) >= 0.95
    assert 1 - 2 * scipy.stats.binom.cdf(rank, number, 0.5) < 0.95
    assert estimate.point == np.median(np.arange(1.0, number + 1))


def test_runs_that_never_solve_it_are_later_than_all_others():
    solved = np.array([70.0, math.inf, 50, 60, math.inf, 10, 20, 80, 30, math.inf])
    assert time_to_solve.median(solved) == (65, 20, math.inf)
    assert time_to_solve.median(np.array([1.0, 2, math.inf, math.inf])) == (math.inf, 0, math.inf)


def test_the_table_counts_the_runs_that_solved_it(tmp_path):
    solves = [0.0] * 50 + [1.0] * 30
    returns = [solves] * 4 + [[0.0] * 80] * 3
    runs = [stored(tmp_path, values, seed=seed) for seed, values in enumerate(returns)]
    row = time_to_solve.table(runs, lambda returns: returns > 0.5).splitlines()[2]
    expected = ["catch", "DQN", "0", "4 of 7", "60", "60 to never", "100 %", "80"]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == expected


def test_what_is_solved_may_be_lost_again_and_the_share_of_later_successes_says_so(tmp_path):
    won, lost = [1.0], [0.0]
    runs = [
        stored(tmp_path, won * 10 + lost * 30 + won * 10, seed=0),  # solved with the 10th; 10 of 40 later
        stored(tmp_path, lost * 5 + won * 20, seed=1),  # with the 15th; all of 10 later
        stored(tmp_path, won * 10, seed=2),  # nothing was seen later
        stored(tmp_path, won * 9, seed=3),  # not solved
    ]
    assert time_to_solve.kept(runs, lambda returns: returns > 0.5) == pytest.approx((0.25 + 1.0) / 2)
    assert math.isnan(time_to_solve.kept(runs[2:], lambda returns: returns > 0.5))
    assert time_to_solve.table(runs, lambda returns: returns > 0.5).splitlines()[2].split("|")[-3:-1] == [
        " 62 %            ",
        " 9        ",
    ]

"""Coverage of intervals: the chosen one holds the truth as often as it says, and the script goes to a figure."""

import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats

import interval_coverage
import interval_coverage_trials as trials
from jaxdqn.analysis import bootstrap_intervals

TRIALS = 600
ERROR = 3 * np.sqrt(0.95 * 0.05 / TRIALS)  # three standard errors of a share of as many trials


@pytest.mark.parametrize("question", ["one game", "pairs"])
@pytest.mark.parametrize("distribution", ["normal", "6 of 10 solve it"])
def test_with_ten_runs_nominal_95_percent_hold_the_truth_in_95(question, distribution):
    found = trials.measure(question, distribution, 10, trials=TRIALS, resamples=500, population=100_000, seed=1)
    for ways in found.values():
        assert ways["chosen"].coverage > 0.95 - ERROR
        assert ways["chosen"].coverage >= ways["percentile"].coverage
        assert ways["chosen"].width < 1.5 * ways["percentile"].width
    assert found["mean"]["percentile"].coverage < found["mean"]["chosen"].coverage - 0.01


def test_docstring_and_captions_say_what_was_measured():
    root = pathlib.Path(__file__).parents[2] / "results" / "interval_coverage"
    (path,) = root.glob("*.jsonl")
    _, found = interval_coverage.read(path, interval_coverage.WHOLE)
    for runs in interval_coverage.WHOLE.runs:
        by_statistic = {
            name: [100 * ways[name]["chosen"].coverage for cell, ways in found.items() if cell.runs == runs]
            for name in ("IQM", "mean", "median", "optimality gap")
        }
        spans = [f"{min(values):.0f} to {max(values):.0f}" for values in by_statistic.values()]
        assert re.search(rf"^ +{runs} +" + r" +".join(spans) + "$", bootstrap_intervals.__doc__, re.MULTILINE), (
            runs,
            spans,
        )
        every = [value for values in by_statistic.values() for value in values]
        if runs in bootstrap_intervals.MEASURED:
            numbers = [int(number) for number in re.findall(r"\d+", bootstrap_intervals.MEASURED[runs])]
            assert numbers == [round(number) for number in (min(every), max(every), np.median(every))]


NORMAL = {"IQM": 0.0, "mean": 0.0, "median": 0.0, "optimality gap": scipy.stats.norm.cdf(1) + scipy.stats.norm.pdf(1)}
SKEWED = {"mean": np.exp(0.125), "median": 1.0}
PEAKS = {"mean": 0.6, "IQM": 0.7, "median": 1.0}  # 4 of 10 fail: of the middle half, 0.15 of 0.5


@pytest.mark.parametrize(
    ("distribution", "expected"), [("normal", NORMAL), ("skewed", SKEWED), ("6 of 10 solve it", PEAKS)]
)
def test_the_truth_is_that_of_the_distribution(distribution, expected):
    question, scores = trials.QUESTIONS["one game"], trials.DISTRIBUTIONS[distribution]
    found = dict(zip(trials.OVER_RUNS, trials.truth(question, scores, 200_000, np.random.default_rng(0)), strict=True))
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.06 if expected is PEAKS else 0.01)  # noise around peaks


def test_the_truth_about_two_arms_is_a_difference():
    scores = trials.DISTRIBUTIONS["skewed"]
    one, apart, pairs = (
        trials.truth(trials.QUESTIONS[name], scores, 200_000, np.random.default_rng(0))
        for name in ("one game", "two arms", "pairs")
    )
    names = list(trials.OVER_RUNS)
    for found in (apart, pairs):
        for name in ("IQM", "mean", "median"):
            value = one[names.index(name)]
            assert found[names.index(name)] == pytest.approx(value - (0.1 + 0.7 * value), abs=0.01)


def test_the_bootstrap_t_interval_of_a_mean_is_students_where_scores_are_normal():
    scores = scipy.stats.norm.ppf((np.arange(200) + 0.5) / 200)[:, None]
    low, high = trials.studentised(scores, "mean", np.random.default_rng(0), 5_000)
    expected = scipy.stats.t.interval(0.95, 199, loc=scores.mean(), scale=scores.std(ddof=1) / np.sqrt(200))
    np.testing.assert_allclose([low[0], high[0]], expected, atol=0.01)


def test_an_iqm_has_the_standard_error_of_the_winsorised_variance():
    scores = np.array([9.0, 1.0, 4.0, 7.0, 100.0, 3.0, -50.0, 5.0])
    center, error = trials._mean_with_error(scores[:, None], trimmed=True)
    winsorised = np.array([3.0, 3, 3, 4, 5, 7, 7, 7])  # two at each end
    assert center[0] == np.mean([3, 4, 5, 7])
    # Yuen (1974): the sum of squares of the Winsorised scores over h (h - 1), h = 4 scores being kept.
    assert error[0] == pytest.approx(np.sqrt(np.sum((winsorised - winsorised.mean()) ** 2) / (4 * 3)))


def script(*arguments):
    command = [sys.executable, interval_coverage.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_script_goes_on_where_it_was_interrupted_and_draws_again_without_running(tmp_path):
    done = script("--toy", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "interval_coverage-toy"
    (record,) = folder.glob("*.jsonl")
    whole, figure = record.read_bytes(), (folder / "interval_coverage-toy.png").read_bytes()
    assert str(record) in done.stdout
    assert "| 5    | pairs" in (folder / "interval_coverage-toy.md").read_text()

    lines = whole.splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:-2]) + lines[-2][:20])  # killed while it wrote the last but one
    damaged = script("--toy", "--figure-only", "--out", str(tmp_path))
    assert damaged.returncode == 1
    assert "is not a complete record" in damaged.stderr
    again = script("--toy", "--out", str(tmp_path))
    assert again.returncode == 0, again.stderr
    assert record.read_bytes() == whole
    assert (folder / "interval_coverage-toy.png").read_bytes() == figure
    assert json.loads(lines[0])["settings"]["trials"] == interval_coverage.TOY.trials


def test_drawing_without_a_record_ends_in_a_sentence(tmp_path):
    done = script("--toy", "--figure-only", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "run the experiment first" in done.stderr

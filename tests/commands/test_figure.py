"""`jaxdqn figure`: every kind of figure from stored runs to a file, and the errors of invalid input."""

import csv
import os
import re
import shlex
import subprocess
import sys

import pytest

from jaxdqn import commands
from jaxdqn.analysis import aggregates, statistics
from jaxdqn.commands import figure
from jaxdqn.figures import FIGURES, style
from jaxdqn.store import store
from tests.helpers import histogram, synthetic_runs

SCALE = ["--normalise", "catch=-1:2", "pong=-1:30"]
BASE = ["--base", "DQN"]
CALLS = {
    "curves": [],
    "efficiency": SCALE,
    "intervals": SCALE,
    "aggregates": SCALE,
    "profile": SCALE,
    "improvement": BASE,
    "paired": BASE,
    "ablation": [*BASE, *SCALE],
    "sensitivity": ["--field", "rate", "--last", "3"],
    "heatmap": ["--fields", "rate", "width", "--games", "catch"],
    "seeds": [*SCALE, "--width", "0.5"],
    "table": SCALE,
}


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Returns the folder of two studies: `arms`, and `grid` with two settings."""
    folder = tmp_path_factory.mktemp("results")
    for game, best in (("catch", 2.0), ("pong", 30.0)):
        for seed in range(3):
            for label, share in (("DQN", 0.5), ("double DQN", 1.0)):
                facts = synthetic_runs.facts(game=game, algorithm=label, seed=seed)
                curves = synthetic_runs.curves(seed=seed, best=best * share)
                store.write(folder / "arms" / "runs", facts, curves)
            for rate in (0.1, 0.01):
                for width in (32, 64):
                    facts = synthetic_runs.facts(game=game, seed=seed, settings={"rate": rate, "width": width})
                    store.write(folder / "grid" / "runs", facts, synthetic_runs.curves(seed=seed, best=best * rate))
    return folder


def call(*arguments):
    commands.main(["figure", *map(str, arguments)])


def refused(capsys, *arguments):
    """Returns the error message of a command line; the exit status must be 2."""
    with pytest.raises(SystemExit) as caught:
        call(*arguments)
    assert caught.value.code == 2
    *usage, line = capsys.readouterr().err.splitlines()
    assert not usage or usage[0].startswith("usage: ")
    return line.partition("error: ")[2]


def test_every_kind_of_figure_is_tested_here():
    assert set(CALLS) == set(FIGURES)


@pytest.mark.parametrize("kind", CALLS)
def test_every_kind_of_figure_is_written_from_stored_runs(kind, studies, tmp_path, capsys):
    study = studies / ("grid" if kind in ("sensitivity", "heatmap") else "arms")
    before = {path: path.read_bytes() for path in (study / "runs").iterdir()}
    call(study, kind, *CALLS[kind], "--out", tmp_path / "new" / "drawn")
    suffixes = ["md"] if kind == "table" else ["png", "svg"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"drawn.{suffix}" for suffix in suffixes]
    printed = capsys.readouterr().out
    assert str(tmp_path / "new" / f"drawn.{suffixes[0]}") in printed
    assert (SCALE[0] in CALLS[kind]) == ("0 and 1 stand for -1 and 2 on catch, -1 and 30 on pong" in printed)
    assert {path: path.read_bytes() for path in (study / "runs").iterdir()} == before


def test_by_default_a_figure_is_in_the_folder_of_the_study_and_is_replaced(studies):
    for path in (studies / "arms", studies / "arms" / "runs", studies / "arms"):
        call(path, "curves")
    assert sorted(path.name for path in (studies / "arms" / "figures").iterdir()) == ["curves.png", "curves.svg"]


def test_the_provenance_is_in_the_figure(studies, tmp_path):
    call(studies / "arms", "curves", "--out", tmp_path / "a.svg")
    assert "Study example: 12 runs, 3 seeds each (0-2)." in re.sub(r"\s+", " ", (tmp_path / "a.svg").read_text())


def test_a_table_is_written_in_the_requested_formats(studies, tmp_path, capsys):
    call(studies / "arms", "table", "--out", tmp_path / "t", "--format", "csv", "tex", "md")
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "t.tex", "t.md"}
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [(row["arm"], row["column"]) for row in rows[:2]] == [("DQN", "catch"), ("DQN", "pong")]
    assert r"\toprule" in (tmp_path / "t.tex").read_text()
    out = capsys.readouterr().out
    assert (tmp_path / "t.md").read_text().startswith("| arm ")
    assert re.search(r"^arm +catch +pong$", out, re.MULTILINE)


@pytest.fixture
def two_rates(tmp_path):
    """Returns the folder of a study with one algorithm that was trained with two learning rates, without a grid."""
    for rate in (0.1, 0.01):
        for seed in range(3):
            configuration = {"type": "DQN", "learning_rate": rate}
            facts = synthetic_runs.facts(seed=seed, configuration=configuration)
            facts["id"] = f"{seed:08x}{round(1000 * rate):08x}"
            store.write(tmp_path / "rates" / "runs", facts, synthetic_runs.curves(seed=seed, best=1 + rate))
    return tmp_path / "rates"


def arms_of(path):
    return [row["arm"] for row in csv.DictReader(path.read_text().splitlines())]


def test_two_trainings_with_two_learning_rates_are_two_arms(two_rates, tmp_path):
    shown = []
    for number, more in enumerate(([], ["--where", "learning_rate=0.01"], ["--arms", "DQN, learning_rate 0.1"])):
        call(two_rates, "table", *more, "--out", tmp_path / f"{number}.csv")
        shown.append(arms_of(tmp_path / f"{number}.csv"))
    assert shown == [["DQN, learning_rate 0.01", "DQN, learning_rate 0.1"], ["DQN"], ["DQN"]]
    call(two_rates, "sensitivity", "--field", "learning_rate")


def test_a_condition_without_runs_is_refused(two_rates, capsys):
    sentence = refused(capsys, two_rates, "curves", "--where", "learning_rate=1")
    assert sentence == f"no run of {two_rates} has learning_rate=1: `jaxdqn runs` lists the runs."


def test_without_a_kind_the_kinds_are_listed(studies, capsys):
    call(studies / "arms")
    shown = capsys.readouterr().out
    assert all(f"\n  {kind} " in shown for kind in FIGURES)


def test_without_a_study_the_one_that_was_trained_last_is_shown(studies, tmp_path, monkeypatch, capsys):
    (tmp_path / "results").symlink_to(studies)
    monkeypatch.chdir(tmp_path)
    for study, seconds in (("arms", 1), ("grid", 2)):
        os.utime(studies / study / "runs", (seconds, seconds))
    call("table", "--out", tmp_path / "t.csv")
    assert arms_of(tmp_path / "t.csv")[0] == "DQN, rate 0.01, width 32"
    assert capsys.readouterr().err == "study   results/grid, the last of 2 in results\n"
    call("arms", "table", "--out", tmp_path / "by_name.csv")
    assert arms_of(tmp_path / "by_name.csv")[0] == "DQN"
    monkeypatch.chdir(studies)
    assert refused(capsys, "curves").startswith("results holds no study: train one with `jaxdqn train")


def test_a_replaced_figure_is_called_so(studies, tmp_path, capsys):
    said = []
    for games in (["catch"], ["catch"], ["pong"]):
        call(studies / "arms", "curves", "--games", *games, "--out", tmp_path / "a.svg")
        said.append(capsys.readouterr().out.splitlines()[-1])
    assert said == [f"figure  {tmp_path / 'a.svg'}"] * 2 + [f"figure  {tmp_path / 'a.svg'} (replaced)"]


def test_only_selected_games_and_arms_are_shown(studies, tmp_path):
    call(studies / "arms", "table", "--games", "pong", "--arms", "double DQN", "--out", tmp_path / "t.csv")
    (row,) = csv.DictReader((tmp_path / "t.csv").read_text().splitlines())
    assert (row["arm"], row["column"]) == ("double DQN", "pong")


def test_options_reach_the_statistics(studies, tmp_path):
    points = []
    for number, more in enumerate(([], ["--last", "20"], ["--statistic", "median"], ["--score", "loss"])):
        call(studies / "arms", "table", *more, "--out", tmp_path / f"{number}.csv")
        points.append(next(csv.DictReader((tmp_path / f"{number}.csv").read_text().splitlines()))["point"])
    assert len(set(points)) == 4


def test_an_arm_may_be_a_reference_of_the_scale_without_being_shown(studies, tmp_path):
    call(
        *(studies / "arms", "table", "--arms", "DQN", "--normalise", "0:double DQN", "--statistic", "mean"),
        *("--out", tmp_path / "t.csv"),
    )
    rows = {row["column"]: row for row in csv.DictReader((tmp_path / "t.csv").read_text().splitlines())}
    row = rows["all games: mean"]
    assert 0.3 < float(row["point"]) < 0.6


def test_a_new_figure_is_one_file_and_one_line(studies, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(FIGURES, "histogram", histogram.FIGURE)
    arguments = ["--bins", "4", "--score", "loss", "--games", "catch", "--out", tmp_path / "drawn"]
    call(studies / "arms", "histogram", *arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"drawn.png", "drawn.svg"}
    assert "Bars: loss of 6 runs in 4 bins. Study example: 6 runs" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        call("STUDY", "histogram", "--help")
    printed = capsys.readouterr().out
    assert "how many runs have each score" in printed
    assert "--bins N" in printed


def test_a_new_statistic_is_one_function_and_one_line(studies, tmp_path, monkeypatch, capsys):
    def worst(scores):
        return scores.min(axis=0)

    monkeypatch.setitem(statistics.STATISTICS, "worst run", worst)
    call(studies / "arms", "curves", "--statistic", "worst-run", "--out", tmp_path / "curves")
    assert "Lines: worst run over seeds; bands: pointwise 95 %" in capsys.readouterr().out
    call(studies / "arms", "table", "--statistic", "worst-run", "--out", tmp_path / "table", "--format", "md", "csv")
    assert "worst run over seeds of evaluation return" in (tmp_path / "table.md").read_text()
    row = next(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    finals = [synthetic_runs.curves(seed=seed, best=1.0)["evaluation_return"][-1] for seed in range(3)]
    assert float(row["point"]) == pytest.approx(min(finals))
    assert float(row["low"]) <= float(row["point"]) < float(row["high"])


def test_a_new_aggregate_is_one_function_and_one_line(studies, tmp_path, monkeypatch, capsys):
    def best(scores):
        return scores.max(axis=(0, 1))

    monkeypatch.setitem(aggregates.AGGREGATES, "best run", aggregates.Entry(best, "highest score of all runs"))
    call(studies / "arms", "table", *SCALE, "--out", tmp_path / "table.csv")
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert "all games: best run" in [row["column"] for row in rows]
    assert "best run: highest score of all runs." in capsys.readouterr().out
    call(studies / "arms", "efficiency", "--aggregate", "best-run", *SCALE, "--out", tmp_path / "efficiency")
    assert "Lines: best run over the runs of catch, pong" in capsys.readouterr().out


def test_a_study_of_two_protocols_is_refused_with_the_difference(tmp_path, capsys):
    for label, steps in (("DQN", 20_000), ("double DQN", 10_000)):
        facts = synthetic_runs.facts(algorithm=label, steps=steps)
        store.write(tmp_path / "runs", facts, synthetic_runs.curves())
    for kind in ("curves", "table", "improvement"):
        sentence = refused(capsys, tmp_path, kind, *(BASE if kind == "improvement" else []))
        assert sentence.startswith("DQN on catch and double DQN on catch differ in steps (20000 and 10000)")
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "curves"], "nowhere is no folder"),
        (["arms", "profile", "--base", "DQN"], "unrecognized arguments: --base DQN"),
        (["arms", "curves", "--lower-is-better"], "unrecognized arguments: --lower-is-better"),
        (["arms", "paired"], "the following arguments are required: --base"),
        (["arms", "paired", "--base", "D"], "There is no arm 'D': there are 'DQN', 'double DQN'"),
        (["arms", "aggregates"], "the following arguments are required: --normalise"),
        (["arms", "intervals"], "Scores of 2 games (catch, pong) have no common scale"),
        (["arms", "curves", "--games", "chess"], "There is no game 'chess': there are 'catch', 'pong'"),
        (["arms", "curves", "--arms", "SARSA"], "There is no arm 'SARSA'"),
        (
            ["arms", "paired", "--base", "double DQM"],
            "There is no arm 'double DQM': there are 'DQN', 'double DQN'. Did you mean",
        ),
        (
            ["arms", "curves", "--games", "pang"],
            "There is no game 'pang': there are 'catch', 'pong'. Did you mean",
        ),
        (["arms", "curves", "--score", "wealth"], "Run"),
        (["arms", "table", "--last", "0"], "last = 0 is out of range"),
        (["arms", "seeds", "--width", "-1"], "width = -1.0 is out of range"),
        (["grid", "sensitivity"], "the following arguments are required: --field"),
        (["grid", "heatmap", "--fields", "rate"], "argument --fields: expected 2 arguments"),
        (["grid", "sensitivity", "--field", "depth"], "DQN on catch has no setting 'depth'"),
        (["arms", "curves", "--normalise", "catch=0:1"], "There are no references to normalise pong"),
        (["arms", "curves", "--normalise", "chess=0:1"], "There is no arm 'chess=0'"),
        (["arms", "curves", "--normalise", "0"], "--normalise '0' cannot be read"),
        (["arms", "curves", "--normalise", "1:1"], "The references of catch, 1 and 1, must be two different"),
        (["arms", "curves", "--normalise", "human"], "There is no human score of catch"),
        (["arms", "curves", "--normalise", "lost.csv"], "lost.csv does not exist"),
        (["arms", "curves", "--format", "tex"], "argument --format: invalid choice: 'tex'"),
        (["arms", "curves", "--out", "t.tex"], "A figure has no format tex: use one of png, svg, pdf"),
        (["arms", "table", "--out", "t.png"], "A table has no format png: use one of md, tex, csv"),
        (["arms", "curves", "--out", "a.png", "--format", "svg"], "--out a.png and --format svg name different"),
    ],
)
def test_an_invalid_figure_ends_in_one_sentence(studies, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(studies)
    assert refused(capsys, *arguments).startswith(sentence)


def test_a_folder_without_runs_is_refused(tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    assert "holds no run: run the study first" in refused(capsys, tmp_path, "curves")


@pytest.mark.parametrize("name", ["table.md", "foreign.png"])
def test_a_file_that_the_command_did_not_write_is_kept(studies, tmp_path, capsys, name):
    (tmp_path / name).write_text("precious")
    kind = "table" if name.endswith("md") else "curves"
    assert "exists, and this command did not write it" in refused(
        capsys, studies / "arms", kind, "--out", tmp_path / name
    )
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("suffix", style.FORMATS)
def test_a_figure_that_the_command_wrote_is_replaced(studies, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    call(studies / "arms", "curves", "--out", path)
    first = path.read_bytes()
    call(studies / "arms", "profile", *SCALE, "--out", path)
    assert path.read_bytes() != first


def test_damaged_records_are_reported_and_the_other_runs_are_drawn(tmp_path):
    for seed in (0, 1):
        store.write(tmp_path / "runs", synthetic_runs.facts(seed=seed), synthetic_runs.curves(seed=seed))
    next((tmp_path / "runs").glob("*.npz")).write_bytes(b"noise")
    with pytest.raises(SystemExit, match=r"^damaged: .*has changed since it was written"):
        call(tmp_path, "curves")
    assert (tmp_path / "figures" / "curves.png").exists()


LINES = re.findall(r"^  jaxdqn figure (.+?)(?:   .*)?$", figure.COMMAND.epilog, re.MULTILINE)
EXAMPLES = [arguments if len(arguments := shlex.split(line)) > 1 else ["last", *arguments] for line in LINES]


@pytest.mark.parametrize("example", EXAMPLES, ids=" ".join)
def test_an_example_of_the_help_parses_and_fits_its_kind(example):
    assert commands._parser().parse_args(["figure", *example]).kind in FIGURES


def test_help_imports_nothing_slow_and_names_every_kind():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "jaxdqn", "figure", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not re.search(r"\| +(numpy|matplotlib|jax)\b", done.stderr)
    assert all(f"\n  {kind} " in done.stdout for kind in FIGURES)

"""`jaxdqn figure`: every kind from a folder of stored runs to a file, and bad input to one sentence."""

import csv
import re
import shlex
import subprocess
import sys

import pytest

from jaxdqn import commands
from jaxdqn.commands import figure, figure_inputs, figure_options
from jaxdqn.store import store
from jaxdqn.store.manifest import Manifest
from tests.helpers import synthetic_runs

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
    "heatmap": ["--field", "rate", "width", "--games", "catch"],
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
    """Returns the sentence with which a command line is refused; its status must be 2."""
    with pytest.raises(SystemExit) as caught:
        call(*arguments)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def test_a_script_means_the_runs_that_it_wants_by_the_names_it_gives_them(studies):
    _, whole = figure_inputs.stored(studies / "arms")
    ids = [run.facts["id"] for run in whole.runs]
    cell = {"game": "catch", "algorithm": "renamed", "settings": {"learning_rate": 0.1}, "seed": 0}
    _, found = figure_inputs.stored(
        studies / "arms", Manifest("arms", 1, dict.fromkeys((ids[2], ids[5], "f" * 16), cell))
    )
    assert [run.facts["id"] for run in found.runs] == [ids[2], ids[5]]
    for run in found.runs:
        assert {name: run.facts[name] for name in ("algorithm", "settings")} == {
            name: cell[name] for name in ("algorithm", "settings")
        }


def test_every_kind_that_help_lists_can_be_drawn():
    assert set(figure.DRAW) == set(figure_options.KINDS) - {"table"} == set(CALLS) - {"table"}


@pytest.mark.parametrize("kind", CALLS)
def test_a_kind_goes_from_runs_to_files(kind, studies, tmp_path, capsys):
    study = studies / ("grid" if "--field" in CALLS[kind] else "arms")
    before = {path: path.read_bytes() for path in (study / "runs").iterdir()}
    call(study, kind, *CALLS[kind], "--out", tmp_path / "new" / "drawn")
    suffixes = ["md"] if kind == "table" else ["png", "svg"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"drawn.{suffix}" for suffix in suffixes]
    printed = capsys.readouterr().out
    assert str(tmp_path / "new" / f"drawn.{suffixes[0]}") in printed
    assert (SCALE[0] in CALLS[kind]) == ("0 and 1 stand for -1 and 2 on catch, -1 and 30 on pong" in printed)
    assert {path: path.read_bytes() for path in (study / "runs").iterdir()} == before


def test_by_default_it_lies_beside_the_runs_and_is_drawn_again(studies):
    for path in (studies / "arms", studies / "arms" / "runs", studies / "arms"):
        call(path, "curves")
    assert sorted(path.name for path in (studies / "arms" / "figures").iterdir()) == ["curves.png", "curves.svg"]


def test_the_provenance_is_in_the_figure(studies, tmp_path):
    call(studies / "arms", "curves", "--out", tmp_path / "a.svg")
    assert "Study example: 12 runs, 3 seeds each (0-2)." in re.sub(r"\s+", " ", (tmp_path / "a.svg").read_text())


def test_a_table_has_the_formats_asked_for(studies, tmp_path, capsys):
    call(studies / "arms", "table", "--out", tmp_path / "t", "--format", "csv", "tex", "md")
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "t.tex", "t.md"}
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [(row["arm"], row["column"]) for row in rows[:2]] == [("DQN", "catch"), ("DQN", "pong")]
    assert r"\toprule" in (tmp_path / "t.tex").read_text()
    assert (tmp_path / "t.md").read_text() in capsys.readouterr().out


def test_only_games_and_arms_that_are_named_are_shown(studies, tmp_path):
    call(studies / "arms", "table", "--games", "pong", "--arms", "double DQN", "--out", tmp_path / "t.csv")
    (row,) = csv.DictReader((tmp_path / "t.csv").read_text().splitlines())
    assert (row["arm"], row["column"]) == ("double DQN", "pong")


def test_options_reach_the_statistics(studies, tmp_path):
    points = []
    for number, more in enumerate(([], ["--last", "20"], ["--statistic", "median"], ["--score", "loss"])):
        call(studies / "arms", "table", *more, "--out", tmp_path / f"{number}.csv")
        points.append(next(csv.DictReader((tmp_path / f"{number}.csv").read_text().splitlines()))["point"])
    assert len(set(points)) == 4


def test_an_arm_may_be_what_is_one_without_being_shown(studies, tmp_path):
    call(
        *(studies / "arms", "table", "--arms", "DQN", "--normalise", "0:double DQN", "--statistic", "mean"),
        *("--out", tmp_path / "t.csv"),
    )
    rows = {row["column"]: row for row in csv.DictReader((tmp_path / "t.csv").read_text().splitlines())}
    row = rows["all games: mean"]
    assert 0.3 < float(row["point"]) < 0.6


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["0:2"], {"catch": (0, 2), "pong": (0, 2)}),
        (["catch=-1:2", "pong=1e1:-3"], {"catch": (-1, 2), "pong": (10, -3)}),
        (["FILE.csv", "pong=0:1"], {"catch": (-5, 5), "pong": (0, 1)}),
    ],
)
def test_references_are_named_on_the_command_line(studies, tmp_path, words, expected):
    (tmp_path / "FILE.csv").write_text("game,low,high\ncatch,-5,5\nother,0,1\npong,-7,7\n")
    runs = store.read(studies / "arms" / "runs").runs
    found = {}
    for word in words:
        text = str(tmp_path / word) if word == "FILE.csv" else word
        found |= figure_inputs.references(text, runs, ["catch", "pong"], score="evaluation_return", last=1)
    assert {game: found[game] for game in expected} == expected


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
        (["arms", "profile", "--base", "DQN"], "--base says nothing to the kind profile, which has --score, --last"),
        (["arms", "curves", "--lower-is-better"], "--lower-is-better says nothing to the kind curves"),
        (["arms", "paired"], "paired needs --base"),
        (["arms", "paired", "--base", "D"], "There is no arm 'D': there are 'DQN', 'double DQN'"),
        (["arms", "aggregates"], "aggregates needs --normalise"),
        (["arms", "intervals"], "Scores of 2 games have no common scale"),
        (["arms", "curves", "--games", "chess"], "There is no game 'chess': there are 'catch', 'pong'"),
        (["arms", "curves", "--arms", "SARSA"], "There is no arm 'SARSA'"),
        (["arms", "curves", "--score", "wealth"], "Run"),
        (["arms", "table", "--last", "0"], "last = 0 is out of range"),
        (["arms", "seeds", "--width", "-1"], "width = -1.0 is out of range"),
        (["grid", "sensitivity"], "sensitivity needs --field with one setting"),
        (["grid", "heatmap", "--field", "rate"], "heatmap needs --field with two settings"),
        (["grid", "sensitivity", "--field", "depth"], "DQN on catch has no setting 'depth'"),
        (["arms", "curves", "--normalise", "catch=0:1"], "There are no references to normalise pong by"),
        (["arms", "curves", "--normalise", "chess=0:1"], "There is no arm 'chess=0'"),
        (["arms", "curves", "--normalise", "0"], "--normalise '0' means nothing"),
        (["arms", "curves", "--normalise", "1:1"], "The references of catch, 1 and 1, must be two different"),
        (["arms", "curves", "--normalise", "human"], "There is no human score of catch"),
        (["arms", "curves", "--normalise", "lost.csv"], "lost.csv is not there"),
        (["arms", "curves", "--format", "tex"], "A figure has no format tex: choose among png, svg, pdf"),
        (["arms", "table", "--out", "t.png"], "A table has no format png: choose among md, tex, csv"),
        (["arms", "curves", "--out", "a.png", "--format", "svg"], "--out a.png and --format svg name different"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(studies, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(studies)
    assert refused(capsys, *arguments).startswith(sentence)


def test_a_folder_without_runs_is_refused(tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    assert "holds no run: run the study first" in refused(capsys, tmp_path, "curves")


@pytest.mark.parametrize("name", ["table.md", "foreign.png"])
def test_a_file_that_is_no_figure_of_ours_stays(studies, tmp_path, capsys, name):
    (tmp_path / name).write_text("precious")
    kind = "table" if name.endswith("md") else "curves"
    assert "is there already" in refused(capsys, studies / "arms", kind, "--out", tmp_path / name)
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("suffix", figure_options.FIGURE_FORMATS)
def test_a_figure_of_ours_is_drawn_again(studies, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    call(studies / "arms", "curves", "--out", path)
    first = path.read_bytes()
    call(studies / "arms", "profile", *SCALE, "--out", path)
    assert path.read_bytes() != first


def test_damaged_records_are_named_and_the_others_drawn(tmp_path):
    for seed in (0, 1):
        store.write(tmp_path / "runs", synthetic_runs.facts(seed=seed), synthetic_runs.curves(seed=seed))
    next((tmp_path / "runs").glob("*.npz")).write_bytes(b"noise")
    with pytest.raises(SystemExit, match=r"^damaged: .*is not what was written"):
        call(tmp_path, "curves")
    assert (tmp_path / "figures" / "curves.png").exists()


EXAMPLES = [shlex.split(line) for line in re.findall(r"^  jaxdqn figure (.+)$", figure_options.EPILOG, re.MULTILINE)]


@pytest.mark.parametrize("example", EXAMPLES, ids=" ".join)
def test_an_example_of_the_help_parses_and_fits_its_kind(example):
    chosen = commands._parser().parse_args(["figure", *example])
    figure_inputs.check(chosen)


def test_help_imports_nothing_slow_and_names_every_kind():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "jaxdqn", "figure", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not re.search(r"\| +(numpy|matplotlib|jax)\b", done.stderr)
    assert all(f"\n  {kind} " in done.stdout for kind in figure_options.KINDS)

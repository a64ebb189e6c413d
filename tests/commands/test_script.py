"""The command line of an experiment: which runs it shows, the names of its files, and its errors."""

import dataclasses
import shutil
import sys

import pytest

from jaxdqn import commands
from jaxdqn.analysis import study_tables
from jaxdqn.commands import run_study, script
from jaxdqn.figures.captions import Drawn
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.store import failures, store
from jaxdqn.study import execute, records, spec
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL

pytestmark = pytest.mark.usefixtures("compiled_once")

STUDY = Study(
    name="whole",
    games=("probe_value",),
    algorithms={"one": SMALL, "two": dataclasses.replace(SMALL, n_step=2)},
    seeds=(0, 1),
    more_seeds={"two": (2,)},
    steps=200,
    evaluation=Evaluation(every=200, episodes=1),
    weights_of=(0, 1),
)
TOY = dataclasses.replace(STUDY, name="toy", seeds=(0,), more_seeds={}, weights_of=())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    execute.run(STUDY, out)
    return out


@pytest.fixture
def out(finished, tmp_path):
    """A copy of the results, to draw from and to damage."""
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


def main(monkeypatch, *arguments, tabulate=study_tables.table):
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    script.main(STUDY, TOY, learning_curves, "A question.", tabulate)


def names(folder):
    return {path.name for path in folder.iterdir()} - {"runs"}


def test_a_figure_of_some_runs_has_their_provenance(out, monkeypatch):
    def draw(runs):
        return {"": learning_curves(runs), "two": Drawn(learning_curves(runs[:2]), "Two of them.")}

    monkeypatch.setattr(sys, "argv", ["script", "--figure-only", "--out", str(out)])
    script.main(STUDY, TOY, draw, "")
    assert "Study whole: 5 runs" in (out / "whole" / "whole.svg").read_text()
    of_two = (out / "whole" / "whole-two.svg").read_text()
    assert "Two of them." in of_two
    assert "5 runs" not in of_two


def test_runs_are_shown_with_the_present_labels_and_settings_of_the_study(out, monkeypatch, capsys):
    """A stored run is not trained again if only its label has changed."""
    renamed = dict(zip(("uno", "two"), STUDY.algorithms.values(), strict=True))
    grid = {"learning_rate": (SMALL.learning_rate, 0.5)}
    seen = []

    def draw(runs):
        seen.extend(runs)
        return learning_curves(runs)

    monkeypatch.setattr(sys, "argv", ["script", "--out", str(out)])
    script.main(dataclasses.replace(STUDY, algorithms=renamed, grid=grid), TOY, draw, "")
    assert "5 runs trained, 5 already stored" in capsys.readouterr().err
    assert {run.facts["algorithm"] for run in seen} == {"uno", "two"}
    assert {run.facts["settings"]["learning_rate"] for run in seen} == {SMALL.learning_rate, 0.5}


def number_of_runs(table):
    (heading,) = [line for line in table.splitlines() if line.startswith("game")]
    place = heading.split().index("runs")
    return [int(line.split()[place]) for line in table.splitlines() if line.startswith("probe")]


def test_a_number_of_seeds_applies_to_every_arm_and_keeps_the_files_of_the_whole_study(out, monkeypatch, capsys):
    main(monkeypatch, "--figure-only", "--out", out)
    assert number_of_runs(capsys.readouterr().out) == [2, 3]
    assert names(out / "whole") - {"study.json"} == {"whole.png", "whole.svg", "whole.md"}
    before = {name: (out / "whole" / name).read_bytes() for name in names(out / "whole") if name.startswith("whole")}
    for number in (1, 2):
        main(monkeypatch, "--figure-only", "--out", out, "--seeds", number)
        assert number_of_runs(capsys.readouterr().out) == [number, number]
        assert f"whole-{number}_seeds.png" in names(out / "whole")
    assert before == {name: (out / "whole" / name).read_bytes() for name in before}


def test_a_larger_study_runs_only_with_its_option(out, monkeypatch, capsys):
    def full():
        return dataclasses.replace(STUDY, name="full", seeds=(0,), more_seeds={}, weights_of=())

    for arguments in ([], ["--full"]):
        monkeypatch.setattr(sys, "argv", ["script", *arguments, "--out", str(out)])
        script.main(STUDY, TOY, learning_curves, "", full=full)
        assert (out / "full").exists() == bool(arguments)
    assert "full.md" in names(out / "full")
    with pytest.raises(SystemExit):
        main(monkeypatch, "--full", "--out", out)
    assert "unrecognized arguments: --full" in capsys.readouterr().err


def test_a_number_of_seeds_may_include_additional_seeds_of_an_arm(out, monkeypatch, capsys):
    main(monkeypatch, "--figure-only", "--out", out, "--seeds", 3)
    assert number_of_runs(capsys.readouterr().out) == [2, 3]


def test_the_help_gives_the_number_of_seeds(monkeypatch, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(monkeypatch, "--help")
    assert "default: the seeds of the study: 2, 3 of two; with --toy 1)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [(), ("--figure-only",)])
def test_a_study_with_only_damaged_records_ends_with_their_names(out, monkeypatch, arguments):
    for path in (out / "whole" / "runs").glob("*.json"):
        path.write_text("\x1b")
    monkeypatch.setattr(run_study, "run", lambda *given: 0)
    with pytest.raises(SystemExit, match=r"damaged: .* Delete .* and run the study again") as end:
        main(monkeypatch, "--out", out, *arguments)
    assert "--figure-only" not in str(end.value)
    assert "\x1b" not in str(end.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"), [((), "."), (("--figure-only",), "; run it without --figure-only.")]
)
def test_the_remedy_fits_the_options(out, monkeypatch, capsys, arguments, sentence):
    for path in (out / "whole" / "runs").iterdir():
        path.unlink()
    monkeypatch.setattr(run_study, "run", lambda *given: 0)
    with pytest.raises(SystemExit, match="2"):
        main(monkeypatch, "--out", out, *arguments)
    assert capsys.readouterr().err.endswith(f"holds no run of this study{sentence}\n")


def test_an_error_of_the_table_ends_in_one_sentence_and_keeps_the_old_table(out, monkeypatch, capsys):
    table = out / "whole" / "whole.md"
    table.write_text("as it was")

    def refused(runs):
        raise ValueError("no place\x07 in a table")

    with pytest.raises(SystemExit, match="2"):
        main(monkeypatch, "--figure-only", "--out", out, tabulate=refused)
    assert capsys.readouterr().err == "error: no place\\x07 in a table\n"
    assert table.read_text() == "as it was"
    with pytest.raises(SystemExit, match=r"damaged: .* is not the name of weights"):
        main(monkeypatch, "--figure-only", "--out", out, tabulate=_read_lost_weights)


def _read_lost_weights(runs):
    described = {"file": "elsewhere.npz", "sha256": "", "shapes": {}}
    return str(store.attachment(runs[0]._replace(facts=runs[0].facts | {"weights": described}), "weights"))


def test_failed_runs_are_left_out_of_no_figure_and_no_table_in_silence(out, monkeypatch, capsys):
    folder, captions = out / "whole", []
    lost = next(run.facts for run in store.read(folder / "runs").runs if run.facts["seed"] == 2)
    (folder / "runs" / f"{lost['id']}.json").unlink()
    about = {"game": "probe_value", "algorithm": "two", "settings": {}, "seed": 2}
    failures.write(folder / "failures", lost["id"], about, "Traceback ...\nValueError: it broke")
    monkeypatch.setattr(script.style, "save", lambda figure, path, below: captions.append(below) or [])
    left_out = "1 of 3 runs of two on probe_value failed and is left out."
    for _ in range(2):  # a second command says the same
        with pytest.raises(SystemExit, match="1"):
            main(monkeypatch, "--out", out)
        said = capsys.readouterr()
        assert (
            f"probe_value: 1 run failed with ValueError: it broke ({folder / 'failures' / lost['id']}.json); fix it, "
            "then run the same command with --retry-failed"
        ) in said.err.splitlines()
        assert "4 already stored, 1 failed" in said.err
        assert left_out in said.out
    assert left_out in (folder / "whole.md").read_text()
    assert all(caption.endswith(left_out) for caption in captions)
    monkeypatch.undo()
    commands.main(["figure", str(folder), "curves"])
    assert left_out in capsys.readouterr().out
    commands.main(["figure", str(folder), "curves", "--arms", "one"])
    assert "runs of two" not in capsys.readouterr().out


def test_a_study_with_only_failed_runs_ends_with_their_reasons(tmp_path, monkeypatch, capsys):
    study = dataclasses.replace(TOY, algorithms={"one": SMALL})
    (cell,) = spec.cells(study)
    (tmp_path / "toy" / "runs").mkdir(parents=True)
    failures.write(tmp_path / "toy" / "failures", cell.id, records.about(cell), "ValueError: it broke")
    monkeypatch.setattr(sys, "argv", ["script", "--out", str(tmp_path)])
    for _ in range(2):
        with pytest.raises(SystemExit, match="1"):
            script.main(study, study, learning_curves, "")
        assert (
            capsys.readouterr().err.splitlines()[-1].startswith("probe_value: 1 run failed with ValueError: it broke")
        )
    with pytest.raises(SystemExit, match="2"):
        commands.main(["figure", str(tmp_path / "toy"), "curves"])
    assert "holds no run: probe_value: 1 run failed with ValueError: it broke" in capsys.readouterr().err


def test_tables_are_written_in_utf_8(out, monkeypatch):
    main(monkeypatch, "--figure-only", "--out", out, tabulate=lambda runs: "γ\n")
    assert (out / "whole" / "whole.md").read_bytes() == "γ\n".encode()


def test_a_file_in_place_of_the_folder_of_runs_ends_the_command_before_training(tmp_path, monkeypatch, capsys):
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "runs").write_text("")
    with pytest.raises(SystemExit, match="2"):
        main(monkeypatch, "--out", tmp_path)
    assert "runs is a file, but runs are stored in a folder of this name" in capsys.readouterr().err
    with pytest.raises(FileExistsError):
        execute.run(STUDY, tmp_path)


def test_stored_runs_of_other_versions_are_noted_or_refused_before_training(tmp_path, monkeypatch, capsys):
    study = Study("versions", ("catch",), {"DQN": SMALL}, range(1), 200, Evaluation(200, 1))
    monkeypatch.setattr(run_study, "_execute", lambda *given: sys.exit("training begins"))
    monkeypatch.setattr(
        run_study.stored_versions, "notes", lambda folder, cells: [f"{len(cells)} in {folder.parent.name}"]
    )
    with pytest.raises(SystemExit, match="training begins"):
        script.run_and_show(study, tmp_path, learning_curves)
    assert "note: 1 in versions\n" in capsys.readouterr().err

    def refuse(folder, cells):
        raise ValueError("two versions of the emulator")

    monkeypatch.setattr(run_study.stored_versions, "check_packages", refuse)
    with pytest.raises(SystemExit, match="2"):
        script.run_and_show(study, tmp_path, learning_curves)
    assert "error: two versions of the emulator\n" in capsys.readouterr().err


def show_with_others(study, out, capsys):
    """Shows a study with the other runs of its folder; returns the table and what is said of other runs."""
    script.run_and_show(study, out, learning_curves, with_others=True, figure_only=True)
    shown = capsys.readouterr()
    return shown.out, shown.err


def test_other_runs_of_the_folder_are_arms_of_the_same_figure_if_they_can_be_compared(out, capsys):
    other = dataclasses.replace(STUDY, algorithms={"one": dataclasses.replace(SMALL, learning_rate=0.5)}, more_seeds={})
    other = dataclasses.replace(other, seeds=(0,), weights_of=())
    execute.run(other, out)
    capsys.readouterr()
    table, said = show_with_others(other, out, capsys)
    assert said == "5 other runs of this folder: also shown\n"
    assert number_of_rows(table) == 3
    assert "learning_rate 0.5" in (out / "whole" / "whole.md").read_text()
    longer = dataclasses.replace(other, steps=400)
    execute.run(longer, out)
    capsys.readouterr()
    table, said = show_with_others(longer, out, capsys)
    assert said == "6 other runs of this folder: not shown, because their steps or evaluation differ\n"
    assert number_of_rows(table) == 1
    assert table.count(" (replaced)") == 3


def number_of_rows(table):
    return sum(line.startswith("probe") for line in table.splitlines())

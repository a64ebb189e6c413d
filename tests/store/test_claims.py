"""Claims: one process trains a cell, and the claims of a dead process are free for others."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

from jaxdqn.store import claims, files
from jaxdqn.store.claims import Claims

CELLS = tuple(f"{number:016x}" for number in range(40))
CLAIMING = (
    "import pathlib, sys, time; from jaxdqn.store.claims import Claims\n"
    "with Claims(pathlib.Path(sys.argv[1])) as mine: print(mine.claim(sys.argv[2:], 2), flush=True); time.sleep(60)"
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "claims"


def test_a_claimed_cell_is_not_available_until_it_is_released(folder):
    with Claims(folder) as one, Claims(folder) as two:
        assert one.claim(CELLS[:3], most=2) == CELLS[:2]
        assert two.claim(CELLS[:3], most=3) == CELLS[2:3]
        assert one.claim(CELLS[:3], most=3) == ()
        one.release(CELLS[:1])
        assert two.claim(CELLS[:3], most=3) == CELLS[:1]
        assert sum(len(holder.cells) for holder in claims.holders(folder)) == 3
        assert {(holder.host, holder.pid) for holder in claims.holders(folder)} == {(os.uname().nodename, os.getpid())}
        assert [holder.cells for holder in one.others()] == [tuple(sorted((CELLS[0], CELLS[2])))]
    assert not folder.exists()


def test_concurrent_processes_share_the_cells(folder):
    found, ready = [], threading.Barrier(8)

    def claim_all():
        with Claims(folder) as mine:
            ready.wait()
            found.extend(mine.claim(CELLS, most=len(CELLS)))
            ready.wait()  # nobody gives back before all have claimed

    threads = [threading.Thread(target=claim_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(CELLS)


def test_claims_of_a_killed_process_are_free_at_once_on_its_machine(folder):
    process = subprocess.Popen([sys.executable, "-c", CLAIMING, folder, *CELLS[:2]], stdout=subprocess.PIPE)
    process.stdout.readline()
    with Claims(folder) as mine:
        assert mine.claim(CELLS[:2], most=2) == ()
        process.kill()
        process.wait()
        process.stdout.close()
        with Claims(folder) as other:
            assert mine.claim(CELLS[:1], most=2) == CELLS[:1]
            assert other.claim(CELLS[:2], most=2) == CELLS[1:2]  # and not what was taken over already
        mine.release(CELLS[:1])
        assert not list(folder.glob(f"{CELLS[0]}*"))


def test_a_process_of_another_machine_is_dead_after_a_long_time_without_sign_of_life(folder):
    folder.mkdir()
    who = {"host": "elsewhere", "boot": "b", "processes": "p", "pid": os.getpid(), "started": "0"}
    (folder / "f00d.alive").write_text(json.dumps(who))
    (folder / f"{CELLS[0]}-1.claim").write_text("f00d")
    with Claims(folder) as mine:
        assert mine.claim(CELLS[:1], most=1) == ()
        now = (folder / "f00d.alive").stat().st_mtime
        os.utime(folder / "f00d.alive", (now, now - claims.EXPIRY - 1))
        assert mine.claim(CELLS[:1], most=1) == CELLS[:1]


def test_a_process_from_before_the_reboot_of_this_machine_is_dead(folder, monkeypatch):
    with Claims(folder) as mine:
        (alive,) = folder.glob("*.alive")
        who = json.loads(alive.read_text()) | {"boot": "an older one"}
        (folder / "f00d.alive").write_text(json.dumps(who))
        (folder / f"{CELLS[0]}-1.claim").write_text("f00d")
        monkeypatch.setattr(claims, "_uptime", lambda: 30.0)
        before = alive.stat().st_mtime - 31
        os.utime(folder / "f00d.alive", (before, before))
        assert mine.claim(CELLS[:1], most=1) == CELLS[:1]


def test_a_process_of_another_machine_with_the_same_name_is_alive_while_it_gives_signs_of_life(folder):
    with Claims(folder) as mine:
        (alive,) = folder.glob("*.alive")
        who = json.loads(alive.read_text()) | {"boot": "of the other machine"}
        (folder / "f00d.alive").write_text(json.dumps(who))
        (folder / f"{CELLS[0]}-1.claim").write_text("f00d")
        assert mine.claim(CELLS[:1], most=1) == ()


def test_a_zombie_process_is_dead(folder):
    process = subprocess.Popen([sys.executable, "-c", CLAIMING, folder, *CELLS[:1]], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays in the list of processes
    with Claims(folder) as mine:
        assert mine.claim(CELLS[:1], most=1) == CELLS[:1]
    process.wait()
    process.stdout.close()


def silent(folder, monkeypatch, who):
    """Makes a claiming process look dead to other processes only."""
    lives = claims._lives
    monkeypatch.setattr(claims, "_lives", lambda alive, now: alive != who._alive and lives(alive, now))
    who._signed_at -= claims.EXPIRY
    assert who._now()


def test_a_process_that_lost_a_claim_does_not_release_the_next_owners(folder, monkeypatch):
    with Claims(folder) as one, Claims(folder) as two, Claims(folder) as three:
        assert one.claim(CELLS[:2], most=2) == CELLS[:2]
        assert one.holds(CELLS[:2])
        silent(folder, monkeypatch, one)
        assert two.claim(CELLS[:2], most=2) == CELLS[:2]
        assert not one.holds(CELLS[:1])
        assert two.holds(CELLS[:2])
        one.release(CELLS[:1])
        assert three.claim(CELLS[:1], most=1) == ()
        two.release(CELLS[1:2])
        assert three.claim(CELLS[1:2], most=1) == CELLS[1:2]  # under the number that the first one had
        assert not one.holds(CELLS[1:2])
        one.release(CELLS[1:2])
        assert two.claim(CELLS[1:2], most=1) == ()


def test_a_claim_whose_owner_changed_since_it_was_read_is_not_replaced(folder, monkeypatch):
    with Claims(folder) as dead, Claims(folder) as one, Claims(folder) as two, Claims(folder) as three:
        dead.claim(CELLS[:1], most=1)
        silent(folder, monkeypatch, dead)
        latest = claims._latest

        def overtaken(folder):
            found = latest(folder)
            monkeypatch.setattr(claims, "_latest", latest)
            assert two.claim(CELLS[:1], most=1) == CELLS[:1]
            two.release(CELLS[:1])
            assert three.claim(CELLS[:1], most=1) == CELLS[:1]
            return found

        monkeypatch.setattr(claims, "_latest", overtaken)
        assert one.claim(CELLS[:1], most=1) == ()
        assert [holder.cells for holder in claims.holders(folder)] == [CELLS[:1]]
        three.release(CELLS[:1])
        assert one.claim(CELLS[:1], most=1) == CELLS[:1]


def test_a_claim_that_succeeded_despite_an_error_of_the_file_server_is_held(folder, monkeypatch):
    link = os.link

    def twice(source, target):
        link(source, target)
        link(source, target)

    with Claims(folder) as mine:
        monkeypatch.setattr(os, "link", twice)
        assert mine.claim(CELLS[:1], most=1) == CELLS[:1]
    assert not folder.exists()


@pytest.mark.parametrize("step", ["mkdir", "write"])
def test_a_process_enters_although_another_removes_the_empty_folder_at_this_moment(folder, monkeypatch, step):
    write_new, exists = files.write_new, pathlib.Path.is_dir

    def removed(path, content):
        monkeypatch.undo()
        folder.rmdir()
        write_new(path, content)

    def removed_before_it_is_found(path):
        if path == folder:
            monkeypatch.undo()
            folder.rmdir()
        return exists(path)

    if step == "write":
        monkeypatch.setattr(files, "write_new", removed)
    else:
        folder.mkdir()
        monkeypatch.setattr(pathlib.Path, "is_dir", removed_before_it_is_found)
    with Claims(folder) as mine:
        assert mine.claim(CELLS[:1], most=1) == CELLS[:1]


def test_claims_in_a_deleted_study_are_an_error_and_do_not_create_it_again(tmp_path):
    study = tmp_path / "study"
    with Claims(study / "claims") as mine:
        shutil.rmtree(study)
        with pytest.raises(OSError, match=r"alive cannot be created: perhaps .* was deleted"):
            mine.claim(CELLS[:1], most=1)
    assert not study.exists()


def test_a_living_process_gives_signs_of_life(folder, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT", 0.01)
    with Claims(folder):
        (alive,) = folder.glob("*.alive")
        os.utime(alive, (0, 0))
        for _ in range(1000):
            if alive.stat().st_mtime > 0:
                break
            threading.Event().wait(0.01)
        assert alive.stat().st_mtime > 0


def test_files_of_processes_dead_for_a_day_are_removed(folder):
    folder.mkdir()
    with Claims(folder) as one:
        one.claim(CELLS[:1], most=1)
        (folder / "f00d.alive").write_text(json.dumps({"host": "elsewhere"}))
        (folder / f"{CELLS[1]}-1.claim").write_text("f00d")
        (folder / f"{CELLS[2]}-1.claim").write_text("of one that is gone")
        kept = {path.name for path in folder.iterdir()}
        with Claims(folder):
            assert kept <= {path.name for path in folder.iterdir()}
        for path in folder.glob("*.claim"):
            os.utime(path, (0, 0))
        os.utime(folder / "f00d.alive", (0, 0))
        with Claims(folder):
            pass
        assert {path.name for path in folder.iterdir()} == {one._alive.name, f"{CELLS[0]}-1.claim"}


def test_a_process_that_wakes_up_after_a_day_is_alive_again(folder):
    with Claims(folder) as one, Claims(folder) as two:
        one._alive.unlink()  # swept away
        assert one.claim(CELLS[:1], most=1) == CELLS[:1]
        assert one._now() > 0
        assert two.claim(CELLS[:1], most=1) == ()


def test_a_process_that_wakes_up_after_its_folder_was_removed_claims_as_before(folder):
    with Claims(folder) as mine:
        mine._alive.unlink()
        folder.rmdir()
        assert mine.claim(CELLS[:1], most=1) == CELLS[:1]

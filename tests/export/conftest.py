"""Tests of exports write nothing into the home folder and use no network."""

import pytest


@pytest.fixture(autouse=True)
def no_trace_of_this_person(tmp_path, monkeypatch):
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "of_wandb"))
    # A network that cannot be reached: a request would fail, or hang until the test does.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

"""The archives of `corpus/`, and the command that is tested.

That is what ``RESTOW_BINARY`` names; else, of an installed package, its own; else the one that cargo built.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import restow

ROOT = Path(__file__).resolve().parents[2]


def pytest_configure() -> None:
    if not Path(restow.__file__).is_relative_to(ROOT / "python"):
        return
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "restow"
    if built.exists():
        os.environ.setdefault("RESTOW_BINARY", str(built))


@pytest.fixture
def sound() -> Path:
    return ROOT / "corpus/good/docker-archive/docker-20.10/archive.tar"


@pytest.fixture
def cut(sound: Path, tmp_path: Path) -> Path:
    """The sound archive, cut off inside a layer."""
    path = tmp_path / "cut.tar"
    path.write_bytes(sound.read_bytes()[:40_000])
    return path

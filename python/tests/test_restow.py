"""What the package promises, with the real command and archives of real tools."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import restow
from restow._run import message_of
from restow.types import load

CONFIG = "sha256:0fef9c03549352eb68d88ceb9a8c2c8d7809603d7744fdeb76fcb89cc1436d4c"


def test_a_sound_archive_is_sound(sound: Path) -> None:
    report = restow.check(sound)
    assert report.sound
    assert report.sources[0].form == "docker-archive"
    assert report.sources[0].summary == restow.Summary(errors=0, warnings=0, notes=0)
    assert report.tool.name == "restow"


def test_a_wrong_archive_is_a_report_and_no_exception(cut: Path) -> None:
    report = restow.check(cut)
    assert not report.sound
    (error,) = [finding for finding in report.findings if finding.level == "error"]
    assert error.rule == "archive/truncated"
    assert error.primary.offset == 35328
    assert "archive/truncated" in str(error) and "byte 35328" in str(error)


def test_levels_are_changed(cut: Path) -> None:
    linked = Path(__file__).resolve().parents[2] / "corpus/bad/entry/below-link-whiteout/archive.tar"
    assert not restow.check(linked).sound
    report = restow.check(linked, warn=["entry"])
    assert report.sound
    assert {finding.level for finding in report.findings} == {"warning"}
    assert restow.check(linked, allow=["all"]).findings == ()
    # What always blocks is not lowered.
    assert not restow.check(cut, allow=["all"]).sound
    with pytest.raises(TypeError, match="a list"):
        restow.check(cut, allow="all")


def test_several_places_are_one_report(sound: Path, cut: Path) -> None:
    report = restow.check(sound, cut)
    assert [source.sound for source in report.sources] == [True, False]
    assert not report.sound


def test_what_cannot_be_judged_is_raised_with_the_rest(sound: Path, tmp_path: Path) -> None:
    with pytest.raises(restow.RestowError, match="no-such.tar: No such file") as raised:
        restow.check(sound, tmp_path / "no-such.tar")
    assert raised.value.status == 2
    assert raised.value.report is not None
    assert [source.sound for source in raised.value.report.sources] == [True, None]
    with pytest.raises(ValueError, match="no place"):
        restow.check()
    with pytest.raises(ValueError, match="standard streams"):
        restow.check("-")


def test_a_report_is_a_table_in_a_notebook(cut: Path) -> None:
    evil = cut.rename(cut.with_name("<script>.tar"))
    page = restow.check(evil)._repr_html_()
    assert page.startswith("<table>") and "archive/truncated" in page
    assert "&lt;script&gt;" in page and "<script>" not in page


def test_inspect_shows_images_and_layers(sound: Path) -> None:
    archive = restow.inspect(sound)
    (image,) = archive.images
    assert (image.kind, image.id, image.platform) == ("image", CONFIG, "linux/amd64")
    assert image.names == ("lab/dup:one", "lab/dup:two")
    assert [layer.size for layer in image.layers] == [10240] * 4
    assert image.layers[1].diff_id == image.layers[3].diff_id
    assert list(archive.walk()) == [image]


def test_inspect_goes_into_indexes() -> None:
    folder = Path(__file__).parents[2] / "corpus/good/oci/multiplatform-attestation-nested"
    archive = restow.inspect(next(path for path in folder.iterdir() if path.name.startswith("archive")))
    kinds = {entry.kind for entry in archive.walk()}
    assert {"index", "image", "attestation"} <= kinds
    assert len(list(archive.walk())) > len(archive.images)


def test_raw_gives_the_exact_bytes(sound: Path) -> None:
    import hashlib

    assert "sha256:" + hashlib.sha256(restow.raw(sound, "config")).hexdigest() == CONFIG
    with pytest.raises(restow.RestowError):
        restow.raw(sound, "sha256:" + "0" * 64)


def test_convert_accounts_for_digests_and_compare_agrees(sound: Path, tmp_path: Path) -> None:
    destination = f"oci:{tmp_path / 'layout'}"
    done = restow.convert(sound, destination, compress="gzip")
    assert done.report.sound
    assert done.account.destination == destination
    config = next(fate for fate in done.account.entries if fate.kind == "config")
    assert (config.action, config.before, config.after) == ("kept", CONFIG, CONFIG)
    assert any(fate.action == "rewritten" for fate in done.account.entries if fate.kind == "layer")
    assert restow.compare(sound, destination, ignore=["digests", "layers"])

    other = restow.compare(sound, destination)
    assert other.differences and not other
    assert restow.compare(sound, destination, verify="digests").differences == other.differences


def test_convert_of_a_wrong_source_writes_nothing(cut: Path, tmp_path: Path) -> None:
    with pytest.raises(restow.Unsound, match="the archive ends inside member") as raised:
        restow.convert(cut, f"oci:{tmp_path / 'layout'}")
    assert raised.value.status == 1
    assert raised.value.report is not None and not raised.value.report.sound
    assert not (tmp_path / "layout").exists()


def test_convert_that_is_refused(sound: Path, tmp_path: Path) -> None:
    with pytest.raises(restow.RestowError) as raised:
        restow.convert(sound, f"oci:{tmp_path / 'layout'}", platform=["linux/s390x"])
    assert not isinstance(raised.value, restow.Unsound)
    assert raised.value.status == 2 and "s390x" in raised.value.message
    with pytest.raises(restow.RestowError):
        restow.convert(sound, tmp_path / "a path without a form")


def test_explain_is_the_page() -> None:
    assert "What it checks" in restow.explain("blob/digest-mismatch")
    with pytest.raises(restow.RestowError, match="no/such"):
        restow.explain("no/such")


def test_a_path_is_a_path(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("oci:x").write_bytes(sound.read_bytes())
    assert restow.check(Path("oci:x")).sources[0].form == "docker-archive"


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that says it has started, and ends by SIGTERM alone."""
    started, script = tmp_path / "started", tmp_path / "slow"
    script.write_text(f"#!/bin/sh\ntouch {started}\nexec sleep 60\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("RESTOW_BINARY", str(script))
    return started


def test_cancel_ends_the_command(slow: Path) -> None:
    cancel = threading.Event()

    def when_started() -> None:
        while not slow.exists():
            time.sleep(0.01)
        cancel.set()

    thread = threading.Thread(target=when_started)
    thread.start()
    began = time.monotonic()
    with pytest.raises(restow.Cancelled, match="^cancelled$"):
        restow.check("app.tar", cancel=cancel)
    thread.join()
    assert time.monotonic() - began < 10


def test_timeout_ends_the_command(slow: Path) -> None:
    with pytest.raises(restow.Cancelled, match="after 0.2 s"):
        restow.inspect("app.tar", timeout=0.2)


def test_a_cancelled_conversion_leaves_nothing(sound: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    big = tmp_path / "big"
    big.mkdir()
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(400 << 20)
    subprocess.run(["tar", "-cf", tmp_path / "layer.tar", "-C", tmp_path, "zeros"], check=True)
    layer = tmp_path / "layer.tar"
    digest = subprocess.run(["sha256sum", layer], check=True, capture_output=True, text=True).stdout[:64]
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}
    )
    (big / "config.json").write_text(config)
    layer.rename(big / "layer.tar")
    manifest = [{"Config": "config.json", "RepoTags": ["lab/big:1"], "Layers": ["layer.tar"]}]
    (big / "manifest.json").write_text(json.dumps(manifest))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(restow.Cancelled):
        restow.convert(big, f"oci:{out / 'layout'}", compress="gzip:9", cancel=cancel)
    assert list(out.iterdir()) == []


def test_the_command_is_found_or_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert restow.binary().name == "restow"
    monkeypatch.setenv("RESTOW_BINARY", "/no/such/file")
    with pytest.raises(restow.BinaryNotFound, match="/no/such/file"):
        restow.version()


def test_python_m_restow_is_the_command(sound: Path) -> None:
    command = [sys.executable, "-m", "restow"]
    package = str(Path(restow.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": package}
    done = subprocess.run([*command, "--version"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["restow", restow.version()])
    assert subprocess.run([*command, "check", "no-such"], env=env, capture_output=True).returncode == 2


def test_json_of_a_later_release_is_read_and_of_another_is_refused() -> None:
    entry = {"kind": "newer", "names": [], "mediaType": "a/b", "unheardOf": 1}
    assert load(restow.Entry, entry) == restow.Entry(kind="newer", media_type="a/b")
    wrongs: tuple[object, ...] = ({"names": []}, {"kind": 1}, {"kind": "image", "names": "x"}, [])
    for wrong in wrongs:
        with pytest.raises(ValueError, match="Entry"):
            load(restow.Entry, wrong)
    with pytest.raises(ValueError, match="unexpected bool"):
        load(restow.Summary, {"errors": True, "warnings": 0, "notes": 0})


def test_every_member_of_the_schema_has_a_field() -> None:
    import dataclasses

    schema = json.loads((Path(__file__).parents[2] / "schemas/report-v1.json").read_text())
    parts = schema["$defs"]
    for cls, shape in (
        (restow.Report, schema),
        (restow.Source, parts["source"]),
        (restow.Finding, parts["finding"]),
        (restow.Fix, parts["fix"]),
        (restow.Change, parts["change"]),
        (restow.Place, parts["place"]),
        (restow.Span, parts["span"]),
    ):
        assert {field.name for field in dataclasses.fields(cls)} == set(shape["properties"]), cls


def test_messages_are_one_line() -> None:
    assert message_of("error: a\n  b\n  help: c\n") == "a b"
    assert message_of("error: unexpected argument\n\n  tip: to\n\nUsage: x") == "unexpected argument"
    assert message_of("") == "no reason was given"

#!/usr/bin/env python3
"""Pictures of restow in a terminal, to be looked at: each command at 60, 100 and 160 columns, light and dark.

    tests/terminal/pictures.py RESTOW FOLDER [WORD…]

FOLDER gets a picture, NAME-THEME.png, of each command below whose name has one of the words. Each runs on
pseudo-terminals of those widths, in a folder with archives of the corpus; what it writes is drawn as a terminal draws it, with
lines that are too long broken at the edge. It wants chromium. No test runs this: tests/all/terminal.rs holds what can be said
in figures, and a picture is for eyes.
"""

from __future__ import annotations

import fcntl
import html
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = [60, 100, 160]
COMMANDS = {
    "sound": "check app.tar",
    "notes": "check -v app.tar",
    "several": "check app.tar wrong.tar digest.tar",
    "fault": "check wrong.tar",
    "digest": "check digest.tar",
    "name": "check renamed.tar",
    "faults": "check faults.tar",
    "lowered": "check -W descriptor/size-mismatch wrong.tar",
    "inspect": "inspect app.tar",
    "inspect-verbose": "inspect -v app.tar",
    "inspect-several": "inspect several",
    "compare-same": "compare app.tar layout",
    "compare": "compare app.tar other.tar",
    "convert": "convert app.tar oci:new",
    "convert-verbose": "convert -v --tag lab/other:2 --compress gzip app.tar docker-archive:new.tar.gz",
    "convert-wrong": "convert wrong.tar oci:never",
    "dry-run": "convert --dry-run app.tar oci:new2",
    "error": "convert docker-daemon:hello-world oci:x",
    "explain": "explain descriptor/size-mismatch",
    "explain-family": "explain whiteout",
    "explain-error": "explain --error 'unexpected EOF'",
    "profiles": "profiles docker",
    "index": "index inspect platforms",
    "index-create": "index create oci:made app.tar@linux/arm64 other.tar@linux/amd64",
    "help": "--help",
    "help-check": "check -h",
    "help-convert": "convert --help",
}
# What xterm and most others draw the eight colours with; the light theme is that of GNOME's terminal.
THEMES = {
    "dark": ("#1e1e1e", "#d4d4d4", ["#000000", "#cd3131", "#0dbc79", "#e5e510", "#2472c8", "#bc3fbc", "#11a8cd", "#e5e5e5"]),
    "light": ("#ffffff", "#1e1e1e", ["#000000", "#c01c28", "#26a269", "#a2734c", "#12488b", "#a347ba", "#2aa1b3", "#d0cfcc"]),
}


def main() -> None:
    restow, folder, words = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="restow-terminal-") as name:
        here = Path(name)
        archives(restow, here)
        for command, line in COMMANDS.items():
            if words and not any(word in command for word in words):
                continue
            texts = []
            for columns in COLUMNS:
                for new in ("new", "new2", "new.tar.gz", "made"):
                    path = here / new
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                texts.append((columns, f"$ restow {line}\n{run(restow, line, here, columns)}"))
            for theme in THEMES:
                picture(texts, theme, folder / f"{command}-{theme}.png", here)
            print(command)


def archives(restow: Path, here: Path) -> None:
    """The archives that the commands name."""
    corpus = ROOT / "corpus"
    good = (corpus / "good/docker-archive/docker-20.10/archive.tar").read_bytes()
    (here / "app.tar").write_bytes(good)
    shutil.copy(corpus / "bad/descriptor/size-mismatch/archive.tar", here / "wrong.tar")
    shutil.copy(corpus / "bad/many/ten-faults/archive.tar", here / "faults.tar")
    (here / "renamed.tar").write_bytes(good.replace(b"ADD 1", b"ADD 9"))
    podman = (corpus / "good/oci/podman/archive.tar").read_bytes()
    (here / "digest.tar").write_bytes(podman.replace(b'"size":159', b'"size":158'))
    shutil.copy(corpus / "good/docker-archive/two-names/archive.tar", here / "other.tar")
    def quiet(*words: str) -> None:
        subprocess.run([restow, *words], cwd=here, check=True, stdout=subprocess.DEVNULL)
    quiet("convert", "-q", "app.tar", "oci:layout")
    quiet("convert", "-q", "app.tar", "oci:several")
    quiet("convert", "-q", "other.tar", "oci:several")
    quiet("convert", "-q", str(corpus / "good/oci/two-platforms/archive"), "oci:platforms")


def run(restow: Path, line: str, here: Path, columns: int) -> str:
    """What a command writes on a terminal."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {"PATH": os.environ["PATH"], "HOME": str(here), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    command = ["bash", "-c", f'"{restow}" {line}']
    with subprocess.Popen(command, cwd=here, env=environment, stdin=far, stdout=far, stderr=far):
        os.close(far)
        out = b""
        while True:
            try:
                piece = os.read(near, 1 << 16)
            except OSError:
                break
            if not piece:
                break
            out += piece
    os.close(near)
    text = out.decode(errors="replace").replace("\r\n", "\n")
    # A bar that came and went leaves nothing.
    return re.sub(r"[^\n]*\r|\x1b\[\d*[ABCDKJ]|\x1b\[\?25[lh]", "", text)


def picture(texts: list[tuple[int, str]], theme: str, file: Path, here: Path) -> None:
    """Draws a command's texts with their colours, one width below the other."""
    ground, ink, colours = THEMES[theme]
    style = (
        f"body{{margin:8px;background:{ground};color:{ink}}}pre{{margin:0 0 12px;border-right:1px solid #888;"
        "font:14px/18px 'DejaVu Sans Mono',monospace;white-space:pre-wrap;word-break:break-all;line-break:anywhere}"
    )
    height, page = 16, f"<meta charset=utf-8><style>{style}</style>"
    for columns, text in texts:
        lines = re.sub(r"\x1b\[[\d;]*m", "", text).split("\n")
        height += 12 + 18 * sum(max(1, -(-len(line) // columns)) for line in lines)
        page += f'<pre style="width:{columns}.9ch">{drawn(text, colours)}</pre>'
    (here / "page.html").write_text(page)
    size = f"--window-size={max(COLUMNS) * 17 // 2 + 24},{height}"
    chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={file.resolve()}"]
    profile = f"--user-data-dir={here / 'profile'}"
    address = (here / "page.html").as_uri()
    subprocess.run([*chromium, profile, size, address], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def drawn(text: str, colours: list[str]) -> str:
    """The text in HTML: what bold, dim, underlined, the eight colours and those of the 256 are."""
    out, on = [], {}
    for piece in re.split(r"(\x1b\[[\d;]*m)", text):
        if not (sequence := re.fullmatch(r"\x1b\[([\d;]*)m", piece)):
            style = ";".join(on.values())
            out.append(f'<span style="{style}">{html.escape(piece)}</span>' if style else html.escape(piece))
            continue
        codes = iter(sequence[1].split(";"))
        for code in codes:
            number = int(code or 0)
            if number == 38 and next(codes, "") == "5":
                cube = int(next(codes, "16")) - 16
                level = [0 if step == 0 else 55 + 40 * step for step in (cube // 36, cube // 6 % 6, cube % 6)]
                on["colour"] = "color:rgb({},{},{})".format(*level)
            elif number in (0, 39):
                on = {} if number == 0 else {key: value for key, value in on.items() if key != "colour"}
            elif number == 1:
                on["bold"] = "font-weight:bold"
            elif number == 2:
                on["dim"] = "opacity:.6"
            elif number == 4:
                on["line"] = "text-decoration:underline"
            elif 30 <= number <= 37:
                on["colour"] = f"color:{colours[number - 30]}"
            elif 90 <= number <= 97:
                on["colour"] = f"color:{colours[number - 90]}"
    return "".join(out)


if __name__ == "__main__":
    main()

"""Takes pages that stand outside docs/ into the site, and leads links between all of them to where they stand there."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

#: Pages of the site that are not in docs/.
OUTSIDE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "corpus.md": "corpus/README.md",
    "changelog.md": "CHANGELOG.md",
}

LINK = re.compile(r"\[(?P<text>(?:[^\[\]`]|`[^`]*`)*)\]\((?P<target>[^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for uri, path in OUTSIDE.items():
        files.append(File.generated(config, uri, content=(ROOT / path).read_text()))
    for schema in sorted((ROOT / "schemas").glob("*.json")):
        files.append(File.generated(config, f"schemas/{schema.name}", content=schema.read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    here = page.file.src_uri
    source = OUTSIDE.get(here, f"docs/{here}")
    parts = re.split(r"(^```.*?^```)", markdown, flags=re.MULTILINE | re.DOTALL)
    # Every second part is code.
    for index in range(0, len(parts), 2):
        parts[index] = LINK.sub(lambda found: _moved(found, source, here), parts[index])
    return "".join(parts)


def _moved(found: re.Match[str], source: str, here: str) -> str:
    target, hash_, anchor = found["target"].partition("#")
    if not target or "://" in target or target.startswith("mailto:"):
        return found[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    place = _place(path)
    if place is None:
        if not (ROOT / path).exists():
            raise PluginError(f"{source}: there is no {target}")
        # A source file: its name stands in the text, and where the repository will stand is not known.
        return found["text"]
    return f"[{found['text']}]({posixpath.relpath(place, posixpath.dirname(here) or '.')}{hash_}{anchor})"


def _place(path: str) -> str | None:
    """Where a file of the repository stands on the site."""
    for uri, outside in OUTSIDE.items():
        if path == outside:
            return uri
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return path if path.startswith("schemas/") and path.endswith(".json") else None

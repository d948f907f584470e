"""`python -m restow` is the command."""

import os
import sys

from ._run import binary
from .errors import BinaryNotFound


def main() -> None:
    try:
        path = str(binary())
    except BinaryNotFound as error:
        sys.exit(f"error: {error.message}")
    if os.name == "posix":
        os.execv(path, [path, *sys.argv[1:]])
    import subprocess

    sys.exit(subprocess.call([path, *sys.argv[1:]]))


if __name__ == "__main__":
    main()

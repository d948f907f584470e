"""What is raised. An image that is wrong is no error of `check`: it is a report that is not sound."""

from __future__ import annotations

from .types import Report


class RestowError(Exception):
    """The command could not do, or may not do, what was asked."""

    def __init__(self, message: str, *, status: int | None = None, stderr: str = "", report: Report | None = None):
        super().__init__(message)
        #: One line that says why.
        self.message = message
        #: The exit status of the command; ``None`` if it was not run.
        self.status = status
        #: All that the command printed on standard error.
        self.stderr = stderr
        #: What was found before, if anything was.
        self.report = report


class BinaryNotFound(RestowError):
    """There is no `restow` beside this package, in ``PATH``, or where ``RESTOW_BINARY`` says."""


class Unsound(RestowError):
    """A conversion was stopped since the source is wrong; ``report`` says how. Nothing was written."""


class Cancelled(RestowError):
    """The command was ended by a signal, by ``cancel`` or after ``timeout``. Nothing half-written stays."""

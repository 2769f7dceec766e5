"""How a trainer that ends without `bye` says why, whichever way the script ends."""

from __future__ import annotations

import atexit
import os
import sys
import sysconfig
import traceback
from types import TracebackType
from typing import Type

from .wire import Connection, text

_TRACE_BYTES_MAX = 64 << 10
_MESSAGE_BYTES_MAX = 8 << 10
_NAME_BYTES_MAX = 4 << 10


def report_endings(connection: Connection) -> None:
    """From now on exceptions that end the script are told to dybw, and so is an end before the run's."""
    process = os.getpid()
    hook = sys.excepthook

    def on_exception(kind: Type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if os.getpid() == process:
            report(connection, error)
        hook(kind, error, trace)

    def on_exit() -> None:
        if os.getpid() != process or not connection.open:
            return
        # Python leaves what ended the script here, even if a library has put its own hook before ours.
        error = getattr(sys, "last_value", None)
        if isinstance(error, BaseException):
            report(connection, error)
        else:
            connection.fail(_body("SystemExit", "the script ended before the run did", "", ""))

    sys.excepthook = on_exception
    atexit.register(on_exit)


def report(connection: Connection, error: BaseException) -> None:
    """Tells dybw that `error` ends this trainer, unless an end was told before."""
    if not connection.open:
        return
    try:
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        message = str(error)
    except Exception as second:
        trace = message = f"(it cannot be shown: {type(second).__name__})"
    connection.fail(_body(type(error).__qualname__, message, place_of(error), trace))


def place_of(error: BaseException) -> str:
    """The last line of the user's own code that the exception passed, as `train.py:31`; "" if none."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(file, line) for file, line in frames if not _is_library(file)]
    for file, line in reversed(own or frames):
        return f"{os.path.basename(file)}:{line}"
    return ""


def _is_library(file: str) -> bool:
    folders = (os.path.dirname(os.path.abspath(__file__)), sysconfig.get_paths()["stdlib"])
    file = os.path.abspath(file) if not file.startswith("<") else file
    return (
        file.startswith("<frozen")
        or any(file.startswith(folder + os.sep) for folder in folders)
        or any(f"{os.sep}{name}{os.sep}" in file for name in ("site-packages", "dist-packages"))
    )


def _body(kind: str, message: str, place: str, trace: str) -> bytes:
    # The exception stands at the end of a trace, so that the beginning can be spared.
    tail = trace.encode("utf-8", "backslashreplace")[-_TRACE_BYTES_MAX:].decode("utf-8", "ignore")
    return (text(kind, _NAME_BYTES_MAX) + text(message, _MESSAGE_BYTES_MAX) + text(place, _NAME_BYTES_MAX)
            + text(tail, _TRACE_BYTES_MAX))

"""Do vision transformers see like convolutional networks? The helper package of the book."""

import sys
from types import TracebackType

__version__ = "0.2.0"


def _stopped(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("stopped; the same command goes on where it can.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if sys.argv[:1] == ["-m"]:  # a command of the book, still importing: Ctrl-C is no error of it (project.command takes over)
    sys.excepthook = _stopped

"""Result files in the format of MLPerf's logging: one event a line, as JSON behind a mark.

    :::MLLOG {"namespace": "", "time_ms": 1…, "event_type": "INTERVAL_START", "key": "run_start", …}

The format and the keys are those of mlcommons/logging (https://github.com/mlcommons/logging,
``mlperf_logging/mllog``), so its tools can read the files. A file of this format is no result of
MLPerf: those are made by its rules on its benchmarks and are reviewed.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from sprat.errors import DataError

MARK = ":::MLLOG "
START, STOP, POINT = "INTERVAL_START", "INTERVAL_END", "POINT_IN_TIME"


class Log:
    """Writes one run's events into a file, each as it happens.

    Args:
        path: of the file, which must not hold another run's log.
        clock: seconds since 1970; events tell milliseconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = path, clock
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")

    def __enter__(self) -> "Log":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def event(self, key: str, value: Any = None, **metadata: Any) -> None:
        """Something that is so: a setting, a seed, a measured quality."""
        self._write(POINT, key, value, metadata)

    def start(self, key: str, **metadata: Any) -> None:
        """The beginning of something; its key ends in ``_start``."""
        self._write(START, key, None, metadata)

    def stop(self, key: str, **metadata: Any) -> None:
        """The end of something; its key ends in ``_stop``."""
        self._write(STOP, key, None, metadata)

    def _write(self, kind: str, key: str, value: Any, metadata: dict[str, Any]) -> None:
        event = {
            "namespace": "",
            "time_ms": int(self._clock() * 1000),
            "event_type": kind,
            "key": key,
            "value": value,
            "metadata": metadata,
        }
        self._file.write(f"{MARK}{json.dumps(event)}\n")
        self._file.flush()  # what was logged stays, however the run ends


def read(path: Path) -> list[dict[str, Any]]:
    """The events of a file, in order; lines without the mark are passed over.

    Raises:
        DataError: the file is missing, or a marked line is no event.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        events = [json.loads(line.partition(MARK)[2]) for line in lines if MARK in line]
        for event in events:
            if not {"time_ms", "event_type", "key", "value", "metadata"} <= set(event):
                raise ValueError(f"an event without all its fields: {event}")
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{path} is no log of a run: {error}.", fix="name a file that a recipe has written"
        ) from None
    return events

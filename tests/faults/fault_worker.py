"""A process of the campaign: takes `[seed, number]` lines, answers with outcomes, under a limit of memory."""

from __future__ import annotations

import faulthandler
import json
import logging
import resource
import sys

from outcomes import Outcome, _status, original, run

EXTRA_BYTES = 1 << 30
"""Address space that reading may take beyond what the process has once everything is imported."""


def work(seconds: float) -> None:
    """Answers lines of standard input until it ends."""
    logging.disable(logging.CRITICAL)
    import sensorlm_hf.data.convert  # noqa: F401 - imported before the limit is set

    answers = sys.stdout
    sys.stdout = sys.stderr
    original("table_parquet")  # starts the threads of pyarrow
    limit = _status("VmSize") * 1024 + EXTRA_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        name, number = json.loads(line)
        faulthandler.dump_traceback_later(seconds, exit=False)
        try:
            outcome = run(name, number)
        except MemoryError:
            outcome = Outcome(name, number, "", "memory", "while the case was prepared or compared")
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(outcome.to_dict()) + "\n")
        answers.flush()


if __name__ == "__main__":
    work(float(sys.argv[1]))

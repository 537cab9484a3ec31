"""Whether this process is the command line: it makes the models known later than other programs do."""

from __future__ import annotations

import os
import sys

_SCRIPTS = ("sensorlm-hf", "sensorlm-hf.exe")
_MODULE = "sensorlm_hf.cli"


def register_unless_command() -> None:
    """Makes the models known to transformers, as importing the package promises; for the command line, `cli.main` does.

    That imports torch, which takes seconds. Who asks the command line for its help should not wait for it, and who asks
    `sensorlm-hf doctor` may lack torch.
    """
    if not starts_the_command():
        from ._registration import register

        register()


def starts_the_command() -> bool:
    """Returns whether this process was started as `sensorlm-hf` or `python -m sensorlm_hf.cli`.

    Processes that multiprocessing starts inherit `sys.argv`, but import the package to use it; what the system was told
    to run, `sys.orig_argv`, tells them apart.
    """
    name, words = (sys.argv or [""])[0], sys.orig_argv
    if name == "-m":  # as it stands while Python looks for the module
        return "-m" in words and words[words.index("-m") + 1 :][:1] == [_MODULE]
    return os.path.basename(name).lower() in _SCRIPTS and name in words

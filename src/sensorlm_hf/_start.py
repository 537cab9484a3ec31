"""Detects the command line, which registers the models lazily."""

from __future__ import annotations

import os
import sys

_SCRIPTS = ("sensorlm-hf", "sensorlm-hf.exe")
_MODULE = "sensorlm_hf.cli"


def register_unless_command() -> None:
    """Registers the models with transformers on import, except for the command line, where `cli.main` does so.

    Registration imports torch, which takes seconds: `sensorlm-hf --help` should not wait for it, and `sensorlm-hf
    doctor` must work without torch.
    """
    if not is_command_line():
        from ._registration import register

        register()


def is_command_line() -> bool:
    """Returns whether this process was started as `sensorlm-hf` or `python -m sensorlm_hf.cli`.

    Child processes of multiprocessing inherit `sys.argv` but not `sys.orig_argv`, which distinguishes them.
    """
    name, words = (sys.argv or [""])[0], sys.orig_argv
    if name == "-m":  # the value while Python locates the module
        return "-m" in words and words[words.index("-m") + 1 :][:1] == [_MODULE]
    return os.path.basename(name).lower() in _SCRIPTS and name in words

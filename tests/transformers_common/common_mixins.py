"""transformers' common test mixins, loaded from its source distribution (`make test-transformers` fetches it).

The distribution lacks the mixins for generation and exporters, which `ModelTesterMixin` derives from: empty classes
take their place here. Generation is tested in `tests/modeling`, exports in `tests/test_export.py`.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

import pytest
from fetch import folder

PACKAGE = "transformers_own_tests"

CONFIG_KWARGS = {
    "return_dict": False,
    "output_hidden_states": True,
    "output_attentions": True,
    "dtype": "float16",
    "chunk_size_feed_forward": 5,
    "architectures": ["SensorLM"],
    "id2label": {0: "label"},
    "label2id": {"label": "0"},
    "problem_type": "regression",
}
"""Values of the attributes that all configurations share, none of which is the default."""


def _module(name: str, **contents: Any) -> None:
    made = types.ModuleType(name)
    vars(made).update(contents)
    sys.modules[name] = made


def load(name: str) -> Any:
    """Imports a module of transformers' tests; skips the importing module where the tests are not there."""
    tests = folder() / "tests"
    if not tests.is_dir():
        pytest.skip("transformers' own tests are not there: run `make test-transformers`", allow_module_level=True)
    if PACKAGE not in sys.modules:
        sys.path.append(str(folder() / "packages"))
        _module(PACKAGE, __path__=[str(tests)])
        _module(f"{PACKAGE}.exporters", __path__=[])
        _module(f"{PACKAGE}.exporters.test_export", ExportTesterMixin=type("ExportTesterMixin", (), {}))
        _module(f"{PACKAGE}.generation", __path__=[])
        _module(f"{PACKAGE}.generation.test_utils", GenerationTesterMixin=type("GenerationTesterMixin", (), {}))
        _module(f"{PACKAGE}.utils", __path__=[])
        _module(f"{PACKAGE}.utils.test_configuration_utils", config_common_kwargs=CONFIG_KWARGS)
        _module("fetch_hub_objects_for_ci", url_to_local_path=lambda path: path)
    return importlib.import_module(f"{PACKAGE}.{name}")

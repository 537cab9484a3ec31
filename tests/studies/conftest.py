"""Makes the folders of the study and benchmark scripts importable."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "examples" / "studies"), str(ROOT / "benchmarks"), str(ROOT / "tests" / "training")]

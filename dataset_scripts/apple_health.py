"""An Apple Health export (export.xml or the zip) -> a Parquet folder with card that `datasets.load_dataset` reads.

python dataset_scripts/apple_health.py export.zip my-days --timezone Europe/Berlin
"""

from __future__ import annotations

import sys

from sensorlm_hf.cli import main

sys.exit(main(["convert", "apple-health", *sys.argv[1:]]))

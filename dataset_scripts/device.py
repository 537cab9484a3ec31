"""The export of a consumer device -> a Parquet folder with card that `datasets.load_dataset` reads.

The first argument is the kind: garmin, oura, polar, whoop, samsung, google-fit, health-connect, health-auto-export,
fitbit-api, withings, fitabase, actigraph, axivity, ggir or workouts.

python dataset_scripts/device.py garmin MyGarminExport my-days
"""

from __future__ import annotations

import sys

from sensorlm_hf.cli import main

sys.exit(main(["convert", *sys.argv[1:]]))

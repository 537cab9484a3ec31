"""A cohort of simulated people -> a Parquet folder with splits by person that `datasets.load_dataset` reads.

python dataset_scripts/simulated.py my-cohort --people 1000 --seed 7
"""

from __future__ import annotations

import argparse
import sys

from sensorlm_hf.data import write_cohort

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("output", help="Folder to write.")
parser.add_argument("--people", type=int, default=1000)
parser.add_argument("--days_per_person", type=int, default=4)
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

try:
    counts = write_cohort(
        options.output, people=options.people, days_per_person=options.days_per_person, seed=options.seed
    )
except (ValueError, OSError) as error:
    parser.error(str(error))
told = ", ".join(f"{count} {split}" for split, count in counts.items())
sys.stdout.write(f"Wrote simulated days to {options.output}: {told}.\n")

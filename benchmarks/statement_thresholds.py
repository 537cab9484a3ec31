"""Quantiles of the facts behind "high" and "low" in qualitative statements, over simulated days.

    python benchmarks/statement_thresholds.py > src/sensorlm_hf/processing/captions/claim_thresholds.py

Recompute them when the simulator or `day_facts` changes.
"""

from __future__ import annotations

import argparse

import numpy as np

from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.processing.captions.claims import LEVEL_FACTS
from sensorlm_hf.processing.captions.day_facts import day_facts

SHARES = (0.12, 0.25, 0.33, 0.40, 0.50, 0.60, 0.67, 0.75, 0.88)

HEADER = '''"""Quantiles of the facts of simulated days, which define "high" and "low" in statements.

Written by `benchmarks/statement_thresholds.py` from {days} days of simulated cohorts; do not edit by hand.
"""

from __future__ import annotations

SHARES = {shares}
"""Shares of days below each quantile."""

QUANTILES: dict[str, tuple[float, ...]] = {{'''


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=2024)
    options = parser.parse_args(argv)
    days = iter_simulated_days(options.days, seed=options.seed, days_per_person=2)
    facts = np.stack([[facts[name] for name in LEVEL_FACTS] for facts in map(day_facts, days)])
    print(HEADER.format(days=options.days, shares=SHARES))
    for name, values in zip(LEVEL_FACTS, facts.T, strict=True):
        numbers = ", ".join(f"{float(f'{value:.4g}'):g}" for value in np.nanquantile(values, SHARES))
        print(f'    "{name}": ({numbers}),')
    print('}\n"""Quantiles by fact, in the unit of the fact, for [`SHARES`]."""')


if __name__ == "__main__":
    main()

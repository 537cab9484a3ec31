"""Minute features of slow signals: skin conductance, skin temperature and altitude."""

from __future__ import annotations

import numpy as np

from .blocks import MIN_SHARE, check_rate, minute_blocks, minute_count

CONTACT_US = 0.01
"""Minimum conductance with skin contact, uS."""

CONTACTS_PER_MINUTE = 240.0
"""Contact checks per minute: four per second, the sampling rate of common wrist sensors."""

_STANDARD_PRESSURE_HPA = 1013.25


def level_and_slope(
    signal: np.ndarray, rate_hz: float, offset_s: float = 0.0, min_share: float = MIN_SHARE
) -> tuple[np.ndarray, np.ndarray]:
    """Fits a straight line to the samples of each minute.

    Args:
        signal: `(samples,)`, evenly sampled; NaN where nothing was recorded.
        rate_hz: Samples per second.
        offset_s: Time of the first sample, seconds from the start of minute 0.
        min_share: Minimum fraction of recorded samples per minute.

    Returns:
        `(minutes,)` mean of the recorded samples, in the signal's unit, and `(minutes,)` slope of the least-squares
        line, unit per minute; NaN in minutes with too few samples, and the slope also with fewer than three.
    """
    values = np.asarray(signal, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"`signal` must be a vector of samples, got shape {values.shape}.")
    rate = check_rate(rate_hz)
    minutes = minute_count(len(values), rate, offset_s)
    level, slope = np.full(minutes, np.nan), np.full(minutes, np.nan)
    for first, block in minute_blocks(values, rate, offset_s):
        part = slice(first, first + len(block))
        known = ~np.isnan(block)
        count = known.sum(axis=1)
        enough = count >= max(min_share * rate * 60.0, 1)
        filled = np.where(known, block, 0.0)
        time = np.where(known, np.arange(block.shape[1]) / (rate * 60.0), 0.0)
        safe = np.maximum(count, 1)
        mean, middle = filled.sum(axis=1) / safe, time.sum(axis=1) / safe
        away = np.where(known, time - middle[:, None], 0.0)
        spread = np.square(away).sum(axis=1)
        level[part] = np.where(enough, mean, np.nan)
        with_slope = enough & (count >= 3) & (spread > 0)
        slope[part] = np.divide((away * filled).sum(axis=1), spread, out=np.full(len(block), np.nan), where=with_slope)
    return level, slope


def conductance_features(eda_us: np.ndarray, rate_hz: float, offset_s: float = 0.0) -> dict[str, np.ndarray]:
    """Computes features of skin conductance per minute.

    * `eda_level_real` (uS): mean, which is the centre of the least-squares line.
    * `ceda_slope_real_micro_siemens` (uS/min): slope of that line. The reference's device reports the channel on a
      different scale (its population mean is 3.2), so fit the normalisation to your own data.
    * `leads_contact_counts` (count): number of contact checks, out of 240 per minute, with the electrodes on the skin.

    Samples without skin contact (below 0.01 uS) are missing; so are level and slope of minutes with less than half
    contact. Tonic and phasic parts are not separated: averaged over a minute, the level equals the tonic part up to the
    contribution of phasic responses (Boucsein, "Electrodermal Activity", 2nd ed. 2012).

    Args:
        eda_us: `(samples,)` skin conductance in microsiemens, evenly sampled; NaN where nothing was recorded.
        rate_hz: Samples per second.
        offset_s: Time of the first sample, seconds from the start of minute 0.

    Returns:
        `{channel key: (minutes,) float64}`, NaN where missing.
    """
    raw = np.asarray(eda_us, dtype=np.float64)
    contact = np.where(np.isnan(raw), np.nan, raw >= CONTACT_US)
    level, slope = level_and_slope(np.where(contact == 1.0, raw, np.nan), rate_hz, offset_s)
    share, _ = level_and_slope(contact, rate_hz, offset_s)
    return {
        "eda_level_real": level,
        "ceda_slope_real_micro_siemens": slope,
        "leads_contact_counts": share * CONTACTS_PER_MINUTE,
    }


def temperature_features(temperature_c: np.ndarray, rate_hz: float, offset_s: float = 0.0) -> dict[str, np.ndarray]:
    """Computes features of skin temperature per minute.

    * `wrist_temperatures` (degC): mean.
    * `skin_temperature_slope` (degC/min): slope of the least-squares line. In the reference, this is a device code.

    Args:
        temperature_c: `(samples,)` skin temperature in degC, evenly sampled; NaN where nothing was recorded.
        rate_hz: Samples per second.
        offset_s: Time of the first sample, seconds from the start of minute 0.

    Returns:
        `{channel key: (minutes,) float64}`, NaN where missing.
    """
    level, slope = level_and_slope(temperature_c, rate_hz, offset_s)
    return {"wrist_temperatures": level, "skin_temperature_slope": slope}


def altitude_features(altitude_m: np.ndarray, rate_hz: float, offset_s: float = 0.0) -> dict[str, np.ndarray]:
    """Computes features of altitude per minute.

    * `altim_std` (m): standard deviation within the minute, `n` in the denominator. The reference uses an
      unpublished normalisation.

    Args:
        altitude_m: `(samples,)` altitude in metres, evenly sampled; NaN where nothing was recorded.
        rate_hz: Samples per second; with fewer than three samples per minute there is no standard deviation.
        offset_s: Time of the first sample, seconds from the start of minute 0.

    Returns:
        `{channel key: (minutes,) float64}`, NaN where missing.
    """
    values = np.asarray(altitude_m, dtype=np.float64)
    rate = check_rate(rate_hz)
    spread = np.full(minute_count(len(values), rate, offset_s), np.nan)
    for first, block in minute_blocks(values, rate, offset_s):
        known = ~np.isnan(block)
        count = known.sum(axis=1)
        safe = np.maximum(count, 1)
        mean = np.where(known, block, 0.0).sum(axis=1) / safe
        away = np.where(known, block - mean[:, None], 0.0)
        enough = count >= max(MIN_SHARE * rate * 60.0, 3)
        spread[first : first + len(block)] = np.where(enough, np.sqrt(np.square(away).sum(axis=1) / safe), np.nan)
    return {"altim_std": spread}


def pressure_to_altitude(pressure_hpa: np.ndarray) -> np.ndarray:
    """Returns altitude in metres from air pressure in hPa, using the international standard atmosphere (ISO 2533).

    Only differences within minutes are meaningful, since the weather shifts the zero by up to a few hundred metres.
    """
    pressure = np.asarray(pressure_hpa, dtype=np.float64)
    return 44_330.77 * (1.0 - np.power(pressure / _STANDARD_PRESSURE_HPA, 0.190263))

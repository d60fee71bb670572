"""How long tasks wait, when some wait still: the median of those that are over would leave the longest out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_backend.labeling.units import Floats
from sdk_scripts.bottlenecks.estimates import LEAST, Z
from sdk_scripts.bottlenecks.model import Estimate


def wait_quantiles(waits: Floats, over: NDArray[np.bool_], quantiles: tuple[float, ...] = (0.5, 0.9)) -> list[Estimate]:
    """Of waits (n,), those that are not `over` being as long as they are up to now (Kaplan & Meier, 1958).

    The interval of a quantile is where the pointwise log-log band of the curve crosses it (Brookmeyer & Crowley, 1982;
    Kalbfleisch & Prentice, 1980). None where so many wait still that the curve does not come down to it.
    """
    n = len(waits)
    if n < LEAST:
        return [Estimate(n=n)] * len(quantiles)
    times, place = np.unique(waits, return_inverse=True)
    ended = np.bincount(place, over, minlength=len(times))
    at_risk = n - np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(times)))[:-1]])
    curve = np.cumprod(1 - ended / at_risk)
    left = at_risk - ended
    greenwood = np.cumsum(np.divide(ended, at_risk * left, out=np.zeros(len(times)), where=left > 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where((curve > 0) & (curve < 1), Z * np.sqrt(greenwood) / np.abs(np.log(curve)), 0.0)
        lower, upper = curve ** np.exp(spread), curve ** np.exp(-spread)
    return [
        Estimate(
            value=_first(times, curve <= 1 - q + 1e-12),
            low=_first(times, lower <= 1 - q + 1e-12),
            high=_first(times, upper <= 1 - q + 1e-12),
            n=n,
        )
        for q in quantiles
    ]


def _first(times: Floats, reached: NDArray[np.bool_]) -> float | None:
    return float(times[int(np.argmax(reached))]) if reached.any() else None

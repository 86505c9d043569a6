"""Other people's methods, to compare with: what a textbook or a paper would have used.

Each takes one regular series and returns quantiles. statsmodels is imported only when one of its methods is asked
for; a method that cannot handle a history (too short, constant, no convergence) returns None and is counted.
"""

import warnings
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from planlib.forecast.features import Floats

Reference = Callable[[Floats, int, Floats], Floats | None]


def _normal(shares: Floats) -> Floats:
    return np.array([NormalDist().inv_cdf(share) for share in shares])


def _around(mean: Floats, error: Floats, shares: Floats) -> Floats:
    """Normal quantiles, shape (horizon, shares)."""
    return mean[:, None] + error[:, None] * _normal(shares)


def random_walk(values: Floats, horizon: int, shares: Floats) -> Floats | None:
    """No change, ``y_n + s sqrt(h) t`` with ``s`` the root mean square change and Student's t with n - 1 degrees.

    The best closed form on education series (docs/methods.md, Forecasts). Quantiles of t by the Cornish-Fisher
    expansion of Abramowitz and Stegun 26.7.5, for at least three changes.
    """
    if len(values) < 4:
        return None
    nu, z = len(values) - 1, _normal(shares)
    t = z + (z**3 + z) / (4 * nu) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * nu**3)
    size = np.sqrt(np.mean(np.diff(values) ** 2))
    return values[-1] + size * np.sqrt(np.arange(1, horizon + 1))[:, None] * t


def drift(values: Floats, horizon: int, shares: Floats) -> Floats | None:
    """Random walk with drift: the line through the first and the last value, normal errors."""
    if len(values) < 3:
        return None
    change, ahead = np.diff(values), np.arange(1, horizon + 1)
    error = change.std(ddof=1) * np.sqrt(ahead * (1 + ahead / len(change)))
    return _around(values[-1] + ahead * change.mean(), error, shares)


def damped_drift(values: Floats, horizon: int, shares: Floats) -> Floats | None:
    """0.6 of the mean change, fading by 0.9 a year; errors of a random walk."""
    if len(values) < 3:
        return None
    change, ahead = np.diff(values), np.arange(1, horizon + 1)
    mean = values[-1] + 0.6 * change.mean() * np.cumsum(0.9**ahead) / 0.9
    return _around(mean, np.sqrt(np.mean(change**2) * ahead), shares)


def trend_line(values: Floats, horizon: int, shares: Floats) -> Floats | None:
    """Ordinary least squares on the year."""
    n = len(values)
    if n < 3:
        return None
    x = np.arange(n)
    slope, level = np.polyfit(x, values, 1)
    ahead = np.arange(n, n + horizon)
    spread = np.sqrt(np.sum((values - level - slope * x) ** 2) / (n - 2))
    error = spread * np.sqrt(1 + 1 / n + (ahead - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    return _around(level + slope * ahead, error, shares)


def grey(values: Floats, horizon: int, shares: Floats) -> Floats | None:
    """GM(1,1), the grey model of Deng (1982) that Chinese studies use; errors as those of its fit.

    x1 = cumulative sums, z = means of neighbours of x1, x0(k) + a z(k) = b by least squares,
    x1(k+1) = (x0(1) - b/a) exp(-a k) + b/a.
    """
    if len(values) < 4 or (values <= 0).any():
        return None
    total = np.cumsum(values)
    middle = (total[1:] + total[:-1]) / 2
    a, b = np.linalg.lstsq(np.stack([-middle, np.ones(len(middle))], axis=1), values[1:], rcond=None)[0]
    if abs(a) < 1e-10:
        return None
    sums = (values[0] - b / a) * np.exp(-a * np.arange(len(values) + horizon)) + b / a
    fitted = np.diff(sums)
    error = np.sqrt(np.mean((values[1:] - fitted[: len(values) - 1]) ** 2))
    return _around(fitted[len(values) - 1 :], error * np.sqrt(np.arange(1, horizon + 1)), shares)


def _fitted(make: Callable[[Any], Any], least: int, values: Floats) -> Any:
    """Fit a statsmodels model quietly; None where it cannot be fitted."""
    if len(values) < least or np.ptp(values) == 0:
        return None
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return make(pd.Series(values))
        except (ValueError, IndexError, np.linalg.LinAlgError, ZeroDivisionError, FloatingPointError):
            return None


def _quiet_quantiles(result: Any, horizon: int, shares: Floats) -> Floats | None:
    """Normal quantiles from a statsmodels prediction with mean and 95 % interval."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean, error = result(horizon)
    found = _around(np.asarray(mean, float), np.asarray(error, float), shares)
    return found if np.isfinite(found).all() else None


def damped_holt(values: Floats, horizon: int, shares: Floats) -> Floats | None:
    """Exponential smoothing with a damped trend, ETS(A,Ad,N), statsmodels ``ETSModel``."""

    def make(series: Any) -> Any:
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        return ETSModel(series, error="add", trend="add", damped_trend=True).fit(disp=False)

    model = _fitted(make, 6, values)
    if model is None:
        return None

    def predict(ahead: int) -> tuple[Any, Any]:
        made = model.get_prediction(start=len(values), end=len(values) + ahead - 1)
        return made.predicted_mean, np.sqrt(made.forecast_variance)

    return _quiet_quantiles(predict, horizon, shares)


def theta(values: Floats, horizon: int, shares: Floats) -> Floats | None:
    """Theta of Assimakopoulos and Nikolopoulos (2000), statsmodels ``ThetaModel``."""

    def make(series: Any) -> Any:
        from statsmodels.tsa.forecasting.theta import ThetaModel

        return ThetaModel(series, period=1, deseasonalize=False).fit(disp=False)

    model = _fitted(make, 4, values)
    if model is None:
        return None

    def predict(ahead: int) -> tuple[Any, Any]:
        bounds = model.prediction_intervals(ahead, alpha=0.05)
        half = (bounds["upper"] - bounds["lower"]) / 2
        return model.forecast(ahead), half / 1.959963984540054

    return _quiet_quantiles(predict, horizon, shares)


def arima(values: Floats, horizon: int, shares: Floats) -> Floats | None:
    """ARIMA(0,1,1) with drift, statsmodels ``ARIMA``."""

    def make(series: Any) -> Any:
        from statsmodels.tsa.arima.model import ARIMA

        return ARIMA(series, order=(0, 1, 1), trend="t").fit()

    model = _fitted(make, 5, values)
    if model is None:
        return None

    def predict(ahead: int) -> tuple[Any, Any]:
        made = model.get_forecast(ahead)
        return made.predicted_mean, made.se_mean

    return _quiet_quantiles(predict, horizon, shares)


METHODS: dict[str, Reference] = {
    "random_walk": random_walk,
    "drift": drift,
    "damped_drift": damped_drift,
    "trend_line": trend_line,
    "grey": grey,
    "damped_holt": damped_holt,
    "theta": theta,
    "arima": arima,
}

"""A question's price, and one step of learning when its outcome becomes known. Compiled; NumPy arrays in and out.

Trader i holds the belief p_i over the options and a CARA utility with risk tolerance tau_i; a maker of liquidity 1 with
prior p_0 runs an LMSR (Hanson 2003). Nobody wishes to trade at (Storkey 2011, with beliefs raised to the power E)

    log c_k = (z_0k + E sum_i w_i log p_ik) / (1 + sum_i w_i) + constant,      w_i = tau_i exp(-rho s_i)

where the staleness s_i = (age of the newest forecast - of this one) / (life of the question so far + 1 day) is in [0, 1):
whoever has not looked again while others did holds less. Only ratios of tolerance to liquidity matter, hence liquidity 1.

Learnt, by the log-loss of the closing price: log tau_i = mu + offset_i for each person, and four numbers of all, mu, rho,
E and z_0 (the maker's log-odds of "yes"; 0 where there are not two options). Each parameter has a normal prior and a
precision of its own; an outcome y moves it as an extended Kalman filter with a diagonal covariance would:

    precision <- precision + D' (diag c - c c') D,      parameter <- parameter - D' (c - y) / precision

with D the derivative of log c by the parameter. So there is no learning rate: a person heard rarely keeps near the mean.
"""

import numba
import numpy as np
from numpy.typing import NDArray

FORECAST, CLOSE, LEARN = 0, 1, 2  # what happens at an instant, in this order
MEAN, FADING, EXTREMISING, PRIOR = 0, 1, 2, 3  # the parameters of all
DAY = 1.0  # the unit of time
LEAST = 1e-3  # a price that is all but sure still adds so much to a precision

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]


@numba.njit(cache=True)
def standing(head, previous):
    """The rows that stand on a question, the newest first."""
    count, row = 0, head
    while row >= 0:
        count += 1
        row = previous[row]
    rows = np.empty(count, np.int64)
    row = head
    for j in range(count):
        rows[j] = row
        row = previous[row]
    return rows


@numba.njit(cache=True)
def score(rows, first, width, user, time, belief, offset, common):
    """Weights [rows], staleness [rows] and log-price [width], up to a constant."""
    newest = time[rows[0]] if len(rows) else first
    weight, stale = np.empty(len(rows)), np.empty(len(rows))
    total, log_price = 1.0, np.zeros(width)
    for j, row in enumerate(rows):
        stale[j] = (newest - time[row]) / (newest - first + DAY)
        weight[j] = np.exp(common[MEAN] + offset[user[row]] - common[FADING] * stale[j])
        total += weight[j]
        for k in range(width):
            log_price[k] += common[EXTREMISING] * weight[j] * belief[row, k]
    if width == 2:
        log_price[0] += common[PRIOR]
    return weight, stale, log_price / total, total


@numba.njit(cache=True)
def normalised(log_price, width, out):
    """Prices that sum to 1, into out[:width]."""
    top = log_price.max()
    total = 0.0
    for k in range(width):
        out[k] = np.exp(log_price[k] - top)
        total += out[k]
    for k in range(width):
        out[k] /= total


@numba.njit(cache=True)
def step(slope, price, width, won, precision):
    """The move of one parameter, and its new precision; `slope` [width] is the derivative of the log-price by it."""
    mean = square = 0.0
    for k in range(width):
        mean += price[k] * slope[k]
        square += price[k] * slope[k] * slope[k]
    sure = 0.0
    for k in range(width):
        sure += (slope[k] - mean) ** 2
    precision += max(square - mean * mean, LEAST * sure)
    return (slope[won] - mean) / precision, precision


@numba.njit(cache=True)
def learn(rows, first, width, won, user, time, belief, offset, offset_precision, common, common_precision):
    """What the outcome `won` of one question teaches. Everyone's move is taken at the same price."""
    weight, stale, log_price, total = score(rows, first, width, user, time, belief, offset, common)
    price = np.empty(width)
    normalised(log_price, width, price)
    slopes = np.zeros((4, width))
    slope = np.empty(width)
    for j, row in enumerate(rows):
        for k in range(width):
            slope[k] = weight[j] / total * (common[EXTREMISING] * belief[row, k] - log_price[k])
            slopes[MEAN, k] += slope[k]
            slopes[FADING, k] -= stale[j] * slope[k]
            slopes[EXTREMISING, k] += weight[j] / total * belief[row, k]
        who = user[row]
        move, offset_precision[who] = step(slope, price, width, won, offset_precision[who])
        offset[who] += move
    if width == 2:
        slopes[PRIOR, 0] = 1.0 / total
    for parameter in range(4):
        move, common_precision[parameter] = step(slopes[parameter], price, width, won, common_precision[parameter])
        common[parameter] += move
    common[FADING] = max(common[FADING], 0.0)
    common[EXTREMISING] = max(common[EXTREMISING], 0.0)


@numba.njit(cache=True)
def place(row, question, user, head, previous):
    """A new forecast stands first on its question; the same person's earlier one stands no more."""
    asked = question[row]
    after, other = row, head[asked]
    while other >= 0:
        if user[other] == user[row]:
            if after == row:
                head[asked] = previous[other]
            else:
                previous[after] = previous[other]
            break
        after, other = other, previous[other]
    previous[row] = head[asked]
    head[asked] = row


@numba.njit(cache=True)
def play(
    kind, index, question, user, time, belief, previous, head, first, width, won, offset, offset_precision, common,
    common_precision, price, closing,
):  # fmt: skip
    """What happens, in order: `kind` [events] and `index`, the row of a forecast or the question closed or learnt from.

    Writes the price after each forecast into `price` [rows, widest] and at the end of each question into `closing`
    [questions, widest]; `previous`, `head`, offsets, common parameters and precisions are brought up to date.
    """
    for event in range(len(kind)):
        asked = question[index[event]] if kind[event] == FORECAST else index[event]
        if kind[event] == FORECAST:
            place(index[event], question, user, head, previous)
        rows = standing(head[asked], previous)
        if kind[event] == LEARN:
            learn(
                rows, first[asked], width[asked], won[asked], user, time, belief, offset, offset_precision, common,
                common_precision,
            )  # fmt: skip
            continue
        _, _, log_price, _ = score(rows, first[asked], width[asked], user, time, belief, offset, common)
        normalised(log_price, width[asked], price[index[event]] if kind[event] == FORECAST else closing[asked])

"""The best course of products through the talk, and how sure each step of it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]


def best_course(scores: Scores, costs: Scores) -> tuple[list[int], Scores]:
    """The best state per unit and its margin over the best course through any other state.

    Args:
        scores: What speaks for each state at each unit, nats; one row per unit.
        costs: What it costs to change into each state at each unit, nats; the same shape.
    """
    count, states = scores.shape
    if count == 0 or states < 2:
        return [0] * count, np.zeros(count)
    ahead, behind = np.empty_like(scores), np.empty_like(scores)
    entry = -costs[0]
    entry[0] = 0.0
    ahead[0] = entry + scores[0]
    for n in range(1, count):
        stay = ahead[n - 1]
        ahead[n] = np.maximum(stay, stay.max() - costs[n]) + scores[n]
    behind[-1] = 0.0
    for n in range(count - 2, -1, -1):
        onward = behind[n + 1] + scores[n + 1]
        behind[n] = np.maximum(onward, (onward - costs[n + 1]).max())
    total = ahead + behind
    best = total.argmax(axis=1)
    rest = total.copy()
    rest[np.arange(count), best] = -np.inf
    return best.tolist(), total.max(axis=1) - rest.max(axis=1)

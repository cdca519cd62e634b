"""Masked training: rows with inputs hidden at random, so that one model answers for any subset of them."""

from __future__ import annotations

import numpy as np


def random_masks(rows: int, columns: int, rng: np.random.Generator, kept: dict[tuple[int, ...], float]) -> np.ndarray:
    """True where a value is hidden.

    `kept` gives the share of rows that keep exactly the named columns (the questions asked most often); the other rows
    hide each column with a probability that is itself random per row, so every count of known inputs occurs.
    """
    hidden = rng.random((rows, columns)) < rng.random((rows, 1))
    draw = rng.random(rows)
    low = 0.0
    for columns_kept, share in kept.items():
        chosen = (draw >= low) & (draw < low + share)
        hidden[chosen] = True
        hidden[np.ix_(chosen, list(columns_kept))] = False
        low += share
    return hidden


def only_columns(rows: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """A copy in which every other column is missing."""
    masked = np.full_like(rows, np.nan)
    masked[:, columns] = rows[:, columns]
    return masked


def hot_deck(rows: np.ndarray, column: int, like: list[int], rng: np.random.Generator, donors: int = 20) -> np.ndarray:
    """Fills a column's gaps with the values of random people who are alike in other columns, whatever their outcome.

    Afterwards the presence of the value says nothing about the outcome, so no model can learn from its absence.
    """
    filled = rows.copy()
    traits = (rows[:, like] - np.nanmean(rows[:, like], axis=0)) / np.nanstd(rows[:, like], axis=0)
    traits[np.isnan(traits)] = 0
    known = np.flatnonzero(~np.isnan(rows[:, column]))
    for row in np.flatnonzero(np.isnan(rows[:, column])):
        distance = ((traits[known] - traits[row]) ** 2).sum(axis=1)
        near = known[distance <= np.partition(distance, donors)[donors]]
        filled[row, column] = rows[rng.choice(near), column]
    return filled


def blended_people(
    rows: np.ndarray, recorded: np.ndarray, people: np.ndarray, digits: dict[int, int], count: int, rng: np.random.Generator
) -> np.ndarray:
    """Synthetic complete rows: random mixtures of a row's nearest rows of five other people, rounded.

    `digits` holds the decimals of the columns that are not whole numbers. A mixture that happens to agree with all known
    values of any of the `recorded` rows, which may have gaps, is thrown away.
    """
    def rounded(values: np.ndarray) -> np.ndarray:
        return np.column_stack([np.round(values[:, column], digits.get(column, 0)) for column in range(values.shape[1])])

    real = rounded(recorded)
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    blended: list[np.ndarray] = []
    while len(blended) < count:
        start = rng.integers(len(rows))
        order = np.argsort(((scaled - scaled[start]) ** 2).sum(axis=1), kind="stable")
        _, first = np.unique(people[order], return_index=True)
        nearest = order[np.sort(first)[1:6]]
        mixture = rounded(rng.dirichlet(np.full(5, 2.0))[None] @ rows[nearest])[0]
        if not ((real == mixture) | np.isnan(real)).all(axis=1).any():
            blended.append(mixture)
    return np.array(blended)

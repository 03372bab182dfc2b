"""Encode tables as arrays for a network: fitted to training rows, applied to any frame, saved as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._support.checks import Array, check_integer, check_name, sentence
from .columns import Column, Frame, rows_of
from .encoders import facts
from .encoders.categories import CategoryRule, FlagRule, Limits
from .encoders.program import WHO, ColumnProgram, Rule
from .encoders.quantities import DateRule, NumberRule, Read, reader
from .encoders.scaling import ROBUST, STANDARD
from .encoders.texts import MOST_BUCKETS, TextRule
from .judging import CATEGORY, DATE, FLAG, NUMBER, TEXT
from .kinds import ColumnKind, inputs, understand

__all__ = ["Encoded", "TableEncoder"]

FORMAT = 2
MOST_FEATURES = 1_000_000
AT_ONCE = 1 << 16  # rows of a column encoded together
_DTYPES = ("float32", "float64")
_RULES: Mapping[str, type[Rule]] = {
    rule.kind: rule for rule in (NumberRule, CategoryRule, FlagRule, DateRule, TextRule)
}


class Encoded(NamedTuple):
    """An encoded table.

    Attributes
    ----------
    numbers : array (N, I)
        The features.
    codes : array of int64 (N, J)
        The codes of columns with many categories, for one embedding each.
    """

    numbers: Array
    codes: Array


class TableEncoder:
    """Encodes the columns of a table as inputs of a network, by rules fitted to the training rows.

    - **Numbers** are scaled robustly, z = (x − median) / (q₇₅ − q₂₅), with a smooth clip z / √(1 + (z/3)²), or by mean
      and standard deviation. A missing number becomes the median, and a second feature marks it if training had one.
    - **Categories** of at most ``max_one_hot`` values become one feature per value; two values become one feature, 1
      and −1. Larger categories become codes for an embedding. Missing is a category if training had it. Values rarer
      than ``min_count``, and values not seen in training, are 0 in all features, or code 0.
    - **Flags** become 1 and −1 in any spelling of yes and no; anything else is 0.
    - **Dates** become a time, the year, and points on the circles of months, weeks and days; extreme dates are safe.
    - **Text** becomes ``text_buckets`` sums of hashed three-letter pieces.
    - Ids and constants are left out.

    Robust scaling applies to the features of categories and flags too, as in RealMLP.

    Parameters
    ----------
    scaling : {"robust", "standard"}
        How to scale numbers.
    max_one_hot : int or None
        Maximum number of values of a category that becomes features; None for no limit.
    min_count : int
        How often a value must occur in training to be known.
    max_categories : int
        Maximum number of known values of a category; the most frequent ones.
    text_buckets : int
        Number of features of a text.
    dtype : {"float32", "float64"}
        The dtype of the features.

    Attributes
    ----------
    columns : list of str
        Names of the columns that it needs, in order.
    feature_names : list of str
        Names of the I features.
    feature_roles : list of str
        Role of each feature: number, missing, one-hot, flag, date or text.
    code_names, code_sizes : list of str, list of int
        The J columns of codes, and how many codes each has.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.tabular.encoding import TableEncoder
    >>> trees = {"height": [2, 4, None, 8], "kind": ["oak", "fir", "elm", "oak"], "felled": ["no", "yes", "no", "no"]}
    >>> encoder = TableEncoder(scaling="standard", min_count=1).fit(trees)
    >>> encoder.feature_names
    ['height', 'height is missing', 'kind=elm', 'kind=fir', 'kind=oak', 'felled']
    >>> new = {"height": [8, None], "kind": ["oak", "ash"], "felled": [True, "maybe"]}
    >>> encoder.transform(new).numbers.round(2)
    array([[ 1.34,  0.  ,  0.  ,  0.  ,  1.  ,  1.  ],
           [-0.27,  1.  ,  0.  ,  0.  ,  0.  ,  0.  ]], dtype=float32)
    >>> encoder.unseen(new)
    {'kind': (1, ['ash']), 'felled': (1, ['maybe'])}
    >>> again = TableEncoder.from_dict(encoder.to_dict())
    >>> np.array_equal(again.transform(new).numbers, encoder.transform(new).numbers)
    True

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), RealMLP; missing values differ: they are a category
    here.
    """

    def __init__(
        self,
        *,
        scaling: str = ROBUST,
        max_one_hot: int | None = 8,
        min_count: int = 2,
        max_categories: int = 100_000,
        text_buckets: int = 128,
        dtype: str = "float32",
    ) -> None:
        self.scaling = check_name(WHO, "a scaling", scaling, (ROBUST, STANDARD))
        self.dtype = check_name(WHO, "a dtype", dtype, _DTYPES)
        one_hot = None if max_one_hot is None else check_integer(WHO, "max_one_hot", max_one_hot, 0)
        most = min(check_integer(WHO, "max_categories", max_categories), facts.MOST_WORDS)
        self._limits = Limits(one_hot, most, check_integer(WHO, "min_count", min_count))
        self._buckets = min(check_integer(WHO, "text_buckets", text_buckets), MOST_BUCKETS)
        self._missing: frozenset[str] = frozenset()
        self._rules: list[Rule] | None = None
        self._readers: list[tuple[str, Read, bool]] = []

    def __getstate__(self) -> dict[str, Any]:
        """Copy without the readers of single rows, which the first row makes."""
        return vars(self) | {"_readers": []}

    # --- fitting --------------------------------------------------------------------------------------------------

    def fit(
        self,
        frame: Any,
        kinds: Sequence[ColumnKind] | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        target: str | None = None,
        missing: Collection[str] = (),
        rows: Array | None = None,
    ) -> TableEncoder:
        """Fit the rules to a table of training rows.

        Parameters
        ----------
        frame : frame, Table or dict of arrays
            A pandas, polars or Arrow frame, a Table, or a dict.
        kinds : Kinds, optional
            The result of ``understand``; by default it is called with ``columns``, ``target`` and ``missing``.
        columns, target, missing : optional
            As for ``understand``.
        rows : array of int, optional
            The training rows; by default all.

        Returns
        -------
        TableEncoder
            This encoder.
        """
        table = Frame(WHO, frame, trims=True)
        chosen = np.arange(table.rows) if rows is None else rows
        if not len(chosen):
            raise ValueError(sentence(WHO, "rows to be fitted to", "none"))
        found = understand(frame, columns, target, missing=missing) if kinds is None else kinds
        self._missing = frozenset(missing)
        rules = [self._fit_rule(kind, rows_of(table.column(kind.name), chosen)) for kind in inputs(found)]
        if not any(rule.features or rule.size for rule in rules):
            remedy = "look at what understand(frame) leaves out, and why"
            raise ValueError(sentence(WHO, "a column that distinguishes rows", "none", remedy))
        self._rules, self._readers = rules, []
        return self

    def _fit_rule(self, kind: ColumnKind, column: Column) -> Rule:
        name, missing, how = kind.name, self._missing, self.scaling
        if kind.kind == NUMBER:
            return NumberRule.fit(name, column, missing, kind.form, how)
        if kind.kind == DATE:
            return DateRule.fit(name, column, missing, kind.form, how)
        if kind.kind == FLAG:
            return FlagRule.fit(name, column, missing, how)
        if kind.kind == TEXT:
            return TextRule.fit(name, column, missing, how, self._buckets)
        check_name(WHO, f"a kind for column {name!r}", kind.kind, (NUMBER, CATEGORY, FLAG, DATE, TEXT))
        return CategoryRule.fit(name, column, missing, how, self._limits)

    # --- what it makes --------------------------------------------------------------------------------------------

    @property
    def columns(self) -> list[str]:
        """Names of the columns that it needs, in order."""
        return [rule.name for rule in self._fitted()]

    @property
    def feature_names(self) -> list[str]:
        """Names of the I features."""
        return [name for rule in self._fitted() for name in rule.features]

    @property
    def feature_roles(self) -> list[str]:
        """Roles of the I features."""
        return [role for rule in self._fitted() for role in rule.roles]

    @property
    def code_names(self) -> list[str]:
        """Names of the J columns of codes."""
        return [rule.name for rule in self._fitted() if rule.size]

    @property
    def code_sizes(self) -> list[int]:
        """How many codes each of these columns has."""
        return [rule.size for rule in self._fitted() if rule.size]

    def transform(self, frame: Any) -> Encoded:
        """Encode a table; other columns are ignored.

        Parameters
        ----------
        frame : frame, Table or dict of arrays
            A table with the columns of the training rows.

        Returns
        -------
        Encoded
            The features and codes.

        Raises
        ------
        ValueError
            If a column is missing, or has values of another kind: a word among numbers, a day that does not exist.
        """
        x, count = self.matrix(frame), len(self.feature_names)
        return Encoded(np.ascontiguousarray(x[:, :count]), x[:, count:].astype(np.int64))

    def matrix(self, frame: Any, rows: Array | None = None) -> Array:
        """Encode a table as one matrix for a network: the features, then the codes.

        Parameters
        ----------
        frame : frame, Table or dict of arrays
            A table with the columns of the training rows.
        rows : array of int, optional
            The rows to encode, in order; by default all.

        Returns
        -------
        array (N, I + J)
            The features and the codes, which float32 represents exactly.
        """
        rules, table = self._fitted(), Frame(WHO, frame, trims=True)
        chosen = np.arange(table.rows) if rows is None else rows
        feature, code = 0, sum(len(rule.scales) for rule in rules)
        x = np.empty((len(chosen), code + len(self.code_names)), self.dtype)
        for rule in rules:
            column = table.column(rule.name)
            place, width = (code, 1) if rule.size else (feature, len(rule.scales))
            feature, code = feature + len(rule.scales), code + (rule.size > 0)
            for start in range(0, len(chosen), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                try:
                    rule.fill(x[some, place : place + width], rows_of(column, chosen[some]), self._missing)
                except ValueError:
                    rule.encode(column, self._missing)  # names the row of the table
                    raise
        return x

    def row(self, cells: Mapping[str, Any]) -> Array:
        """Encode one row: to the same bits as ``matrix`` of a table of this row, but much faster.

        Parameters
        ----------
        cells : mapping of name to cell
            The cells of the row, by column; a cell may also be a frame of one row with this column alone.

        Returns
        -------
        array (1, I + J)
            The features and the codes.
        """
        self._readers = self._readers or [self._reader(rule) for rule in self._fitted()]
        numbers: list[float] = []
        codes: list[float] = []
        for name, read, is_code in self._readers:
            (codes if is_code else numbers).extend(read(cells[name]))
        return np.array([numbers + codes], self.dtype)

    def _reader(self, rule: Rule) -> tuple[str, Read, bool]:
        alone = TableEncoder(dtype=self.dtype)
        alone._rules, alone._missing = [rule], self._missing
        return rule.name, reader(rule, alone.matrix, self._missing), rule.size > 0

    @property
    def matrix_columns(self) -> list[str]:
        """The column of the table from which each of the I + J of ``matrix`` comes."""
        return [rule.name for rule in self._fitted() for _ in rule.features] + self.code_names

    def unseen(self, frame: Any) -> dict[str, tuple[int, list[str]]]:
        """Find values that training did not have.

        Parameters
        ----------
        frame : frame, Table or dict of arrays
            A table with the columns of the training rows.

        Returns
        -------
        dict of str to (int, list of str)
            For each column with such values, the number of rows and some of the values.
        """
        table = Frame(WHO, frame, trims=True)
        found = {rule.name: rule.unseen(table.column(rule.name), self._missing) for rule in self._fitted()}
        return {name: (count, some) for name, (count, some) in found.items() if count}

    @property
    def programs(self) -> list[ColumnProgram]:
        """What is computed of each column, in the order of ``columns``."""
        return [rule.program() for rule in self._fitted()]

    @property
    def missing(self) -> frozenset[str]:
        """The words that were named for a missing value, beside the usual ones."""
        return self._missing

    def _fitted(self) -> list[Rule]:
        if self._rules is None:
            raise ValueError(sentence(WHO, "to be fitted", "no table yet", "call fit(table)"))
        return self._rules

    # --- JSON -----------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Describe the fitted encoder in JSON types; ``from_dict`` restores it bit for bit.

        Returns
        -------
        dict
            The description.
        """
        description: dict[str, Any] = {
            "format": FORMAT,
            "dtype": self.dtype,
            "scaling": self.scaling,
            "missing": sorted(self._missing),
            "columns": [rule.to_dict() for rule in self._fitted()],
        }
        return description | {"digest": _digest(description)}

    @classmethod
    def from_dict(cls, description: Any) -> TableEncoder:

        try:
            return cls._read(description)
        except (ValueError, TypeError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            got = reason if type(error) is ValueError else f"what is not JSON ({reason})"
            raise ValueError(sentence(f"{WHO}.from_dict", "the result of to_dict", got, "save it again")) from None

    @classmethod
    def _read(cls, description: Any) -> TableEncoder:
        facts.check_keys(facts.mapping(description), ("format", "dtype", "scaling", "missing", "columns", "digest"))
        if facts.get(description, "format", int) != FORMAT:
            raise ValueError(f"format {description['format']}")
        known = {name: value for name, value in description.items() if name != "digest"}
        if facts.get(description, "digest", str) != _digest(known):
            raise ValueError("a description that was changed")
        scaling, dtype = facts.choice(known, "scaling", (ROBUST, STANDARD)), facts.choice(known, "dtype", _DTYPES)
        encoder = cls(scaling=scaling, dtype=dtype)
        encoder._missing = frozenset(facts.words(known, "missing"))
        encoder._rules = [_read_rule(entry) for entry in facts.get(known, "columns", list)]
        if len(set(encoder.columns)) < len(encoder.columns) or not encoder._rules:
            raise ValueError("no columns, or one twice")
        if len(encoder.feature_names) > MOST_FEATURES:
            raise ValueError(f"more than {MOST_FEATURES:,} features")
        return encoder


def _read_rule(entry: Any) -> Rule:
    name, kind = facts.get(entry, "name", str), facts.choice(entry, "kind", tuple(_RULES))
    rule: Rule = _RULES[kind].from_dict(name, entry)
    facts.check_keys(entry, ("name", "kind", "scales", *rule.details()))
    return rule


def _digest(description: Mapping[str, Any]) -> str:
    """SHA-256 of the description, as JSON in one way of writing it."""
    try:
        text = json.dumps(description, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise ValueError("a number that is not finite") from None
    return hashlib.sha256(text.encode()).hexdigest()

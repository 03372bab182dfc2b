"""Open a path, several files, standard input or a stream; recognise the format; and unpack the bytes.

The first bytes determine the format, whatever the name. Compressed files are never trusted: a file that grows beyond
``MAX_RATIO`` times its size is refused before more memory is allocated.

The options of ``read_table`` are checked here, too, and choose columns.
"""

from __future__ import annotations

import glob
import os
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..._support.checks import nearest, require, sentence
from ..._support.files import CHUNK, MAX_RATIO, MOST_PIPED, SPARE, as_path, in_our_words, opened, refusal
from ...data.sources.arrow import located
from ...data.sources.tables import tables_in
from ..numerals import COMMA, POINT

WHO = "read_table"
STDIN = "standard input"
READ_ONCE = ("sink_parquet", "fetch_arrow_reader", "fetchmany", "__next__")  # of a LazyFrame, ...
#: Formats by their first bytes; text has none of these.
KINDS = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow stream",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # an empty one
    b"SQLite format 3\0": "sqlite",
}
_UNPACK, _EXPORT = "unpack it first", "save the table as CSV or Parquet"
#: Formats that cannot be read, their names, and what to do.
_OTHERS = {
    b"BZh": ("a bzip2 file", _UNPACK),
    b"\xfd7zXZ\0": ("an xz file", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("a Zstandard file", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip file", _UNPACK),
    b"Rar!": ("a RAR file", _UNPACK),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Excel workbook", "save it as .xlsx or CSV"),
    b"\x89HDF": ("an HDF5 file", _EXPORT),
    b"%PDF": ("a PDF file", _EXPORT),
    b"\x89PNG": ("a picture", ""),
    b"\xff\xd8\xff": ("a picture", ""),
    b"\x93NUMPY": ("a NumPy array", "load it with numpy.load and pass the array"),
    b"\x80\x04\x95": ("a pickle, which could run any program when it is read", _EXPORT),
    b"\x80\x05\x95": ("a pickle, which could run any program when it is read", _EXPORT),
    b"Obj\x01": ("an Avro file", _EXPORT),
    b"ORC": ("an ORC file", _EXPORT),
    b"$FL2": ("an SPSS file", _EXPORT),
    b"RDX": ("an R workspace", _EXPORT),
    b"\x7fELF": ("a program", ""),
}


@dataclass(frozen=True)
class Source:
    """A file on disk, its name in messages, and the part after ``::`` in the user's source.

    Or several ``files``, or a ``dataset`` of pyarrow. What is read may be the rows after ``above`` others, or those at
    these ``places``, which begin in each file at these ``starts``.
    """

    path: Path
    name: str
    part: str | None = None
    files: tuple[Path, ...] = ()
    dataset: Any = None
    above: int = 0
    places: Any = None
    starts: Mapping[str, int] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        """Whether there may be more files than one, which errors then name."""
        return bool(self.files) or self.path.is_dir()

    def at(self, row: int) -> tuple[Source, int]:
        """Return the file of a row that was read, and the number of the row there, from 1."""
        place = self.above + row if self.places is None else int(self.places[row])
        starts = [(file, start) for file, start in self.starts.items() if start <= place]
        file, start = max(starts, key=itemgetter(1), default=(self.name, 0))
        return replace(self, name=file), place - start + 1

    def refuse(self, expected: str, got: str, remedy: str = "") -> NoReturn:
        """Raise a ValueError that names this file."""
        raise ValueError(sentence(WHO, f"{expected} {self.name}", got, remedy))


@contextmanager
def staged(source: Any) -> Iterator[Source]:
    """Open the source as a file that can be read repeatedly; a stream is copied to a temporary file."""
    if hasattr(source, "read") and not hasattr(source, "get_chunk"):  # as pandas.read_csv(chunksize=) has
        with _copied(source, str(getattr(source, "name", "the stream"))) as copy:
            yield copy
        return
    if isinstance(source, str) and source == "-":
        with _copied(sys.stdin.buffer, STDIN) as copy:
            yield copy
        return
    if any(hasattr(type(source), name) for name in READ_ONCE):
        with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
            yield Source(_as_parquet(source, Path(folder, "table.parquet")), f"the {type(source).__name__}")
        return
    if hasattr(source, "get_fragments"):
        yield Source(Path(), "the dataset", dataset=source)
        return
    if isinstance(source, str) and "://" in source:
        yield Source(Path(), source, dataset=_remote(source))
        return
    if files := _several(source):
        yield Source(files[0], f"{len(files)} files" if isinstance(source, (list, tuple)) else str(source), files=files)
        return
    path, part = as_path(WHO, source), None
    if not path.exists() and "::" in path.name:
        head, _, part = str(path).rpartition("::")
        path = Path(head)
    if path.exists() and not (path.is_file() or path.is_dir()):
        with opened(WHO, path, "table") as (stream, _), _copied(stream, str(path)) as copy:
            yield copy
        return
    yield Source(path, str(path), part)


def is_stored(source: Any) -> bool:
    """Whether a table is outside of memory: paths, or an object that streams its rows."""
    if isinstance(source, (list, tuple)):
        return bool(source) and all(isinstance(one, (str, os.PathLike)) for one in source)
    streams = (*READ_ONCE, "get_fragments")
    return isinstance(source, (str, os.PathLike)) or any(hasattr(type(source), name) for name in streams)


def _several(source: Any) -> tuple[Path, ...]:
    """Return the files of a list, or those that match a pattern such as ``*.parquet``; empty for a single path."""
    if isinstance(source, (list, tuple)):
        if not source:
            raise ValueError(sentence(WHO, "files", "an empty list"))
        return tuple(as_path(WHO, one) for one in source)
    path = as_path(WHO, source)
    if not glob.has_magic(str(path)) or path.exists():
        return ()
    files = tuple(found for found in map(Path, sorted(glob.glob(str(path), recursive=True))) if found.is_file())
    if not files:
        raise FileNotFoundError(sentence(WHO, f"files that match {path}", "none"))
    return files


def _remote(url: str) -> Any:
    """Open Parquet files in an object store as one dataset."""
    dataset = require("pyarrow.dataset", "tabular", WHO)
    paths, filesystem = located(WHO, url)
    try:
        return dataset.dataset(paths, format="parquet", partitioning="hive", filesystem=filesystem)
    except (require("pyarrow", "tabular", WHO).ArrowException, OSError) as error:
        Source(Path(), url).refuse("Parquet files at", str(error).split("\n")[0])


def _as_parquet(rows: Any, path: Path) -> Path:
    """Write a LazyFrame, or rows that can be read only once, to a file."""
    if hasattr(rows, "sink_parquet"):
        rows.sink_parquet(path)
        return path
    arrow, parquet = (require(name, "tabular", WHO) for name in ("pyarrow", "pyarrow.parquet"))
    with ExitStack() as stack:
        writer = None
        for part in tables_in(rows):
            try:
                table = arrow.table(part)
                writer = writer or stack.enter_context(parquet.ParquetWriter(path, table.schema))
                writer.write_table(table.cast(writer.schema))
            except (arrow.ArrowException, TypeError, ValueError) as error:
                expected, remedy = "tables like the first", "state the types, as with dtype= of pandas.read_csv"
                raise ValueError(sentence(WHO, expected, str(error).split("\n")[0], remedy)) from None
    if writer is None:
        raise ValueError(sentence(WHO, "rows", "none"))
    return path


@contextmanager
def _copied(stream: Any, name: str) -> Iterator[Source]:
    with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
        copy = Source(Path(folder, "table"), name)
        with copy.path.open("wb") as file:
            count = 0
            while chunk := stream.read(CHUNK):
                if isinstance(chunk, str):
                    raise TypeError(sentence(WHO, "a stream of bytes", "one of text", 'open the file with mode "rb"'))
                count += len(chunk)
                if count > MOST_PIPED:
                    copy.refuse(f"at most {MOST_PIPED:,} bytes in", "more", "write them to a file first")
                file.write(chunk)
        try:
            yield copy
        except (ValueError, OSError) as error:
            raise type(error)(str(error).replace(str(copy.path), name)) from None


def kind(source: Source) -> str:
    """Recognise a file: text, workbook, parquet, arrow, arrow stream or sqlite; a folder of Parquet, or texts."""
    if source.dataset is not None or source.path.is_dir():
        return "folder"
    if source.files:
        first, *others = (kind(Source(file, str(file))) for file in source.files)
        for file, other in zip(source.files[1:], others, strict=True):
            if other != first:
                source.refuse("files of one format in", f"{source.files[0]} ({first}) and {file} ({other})")
        if first not in ("parquet", "text"):
            source.refuse("Parquet or text files in", f"{source.files[0]} ({first})")
        return "folder" if first == "parquet" else "texts"
    head = _head(source, 16)
    for magic, found in KINDS.items():
        if head.startswith(magic):
            return _kind_of_zip(source) if found == "zip" else found
    _refuse_others(source, head)
    return "text"


def _head(source: Source, count: int) -> bytes:
    with in_our_words(WHO, f"a table at {source.name}"), source.path.open("rb") as stream:
        return stream.read(count)


def _refuse_others(source: Source, head: bytes) -> None:
    for magic, (what, remedy) in _OTHERS.items():
        if head.startswith(magic):
            source.refuse("a table in", what, remedy)


def _kind_of_zip(source: Source) -> str:
    with _zip(source) as file:
        names = set(file.namelist())
    if "xl/workbook.xml" in names:
        return "workbook"
    if "xl/workbook.bin" in names or "content.xml" in names:
        source.refuse("a table in", "a workbook of another kind", "save it as .xlsx or CSV")
    return "text"


@contextmanager
def _zip(source: Source) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(source.path) as file:
            yield file
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise refusal(WHO, source.path, "to be a whole zip file", f"a damaged or different one ({error})") from None


@contextmanager
def unpacked(source: Source) -> Iterator[Iterator[bytes]]:
    """Open the bytes of a text file in chunks, unpacked from gzip, or from a zip file that contains it alone."""
    if KINDS.get(_head(source, 4)) == "zip":
        with _zip(source) as file, _only_member(source, file) as stream:
            yield _bounded(source, stream, MAX_RATIO * source.path.stat().st_size + SPARE)
        return
    with opened(WHO, source.path, "table") as (stream, most):
        yield _bounded(source, stream, most)


def _bounded(source: Source, stream: BinaryIO, most: int) -> Iterator[bytes]:
    """Yield chunks of a stream; raise a ValueError if it is another compressed file or grows too large."""
    count = 0
    while chunk := stream.read(CHUNK):
        if not count:
            inside = next((found for magic, found in KINDS.items() if chunk.startswith(magic)), None)
            if inside or chunk.startswith(b"\x1f\x8b"):
                source.refuse("text in", f"a packed {inside or 'gzip'} file", _UNPACK)
            _refuse_others(source, chunk)
        count += len(chunk)
        if count > most:
            got = f"one that becomes more than {most:,} bytes"
            raise refusal(WHO, source.path, "to be of a size that can be read", got, "unpack it if you trust it")
        yield chunk


@contextmanager
def _only_member(source: Source, file: zipfile.ZipFile) -> Iterator[BinaryIO]:
    hidden = ("__MACOSX/", ".")
    inside = [info for info in file.infolist() if not info.is_dir() and not info.filename.startswith(hidden)]
    if len(inside) != 1:
        names = ", ".join(info.filename for info in inside[:3]) + (", ..." if len(inside) > 3 else "")
        source.refuse("one file in", f"{len(inside)}{f' ({names})' if inside else ''}", "unpack it and name one")
    if inside[0].flag_bits & 1:
        source.refuse("a readable file in", f"{inside[0].filename}, which is encrypted", _UNPACK)
    with file.open(inside[0]) as stream:
        yield stream  # type: ignore[misc]  # it reads alike


def check_members(source: Source) -> None:
    """Unpack a workbook once without keeping it; raise if it is damaged, grows too large, or declares entities."""
    most = MAX_RATIO * source.path.stat().st_size + SPARE
    with _zip(source) as file:
        for info in file.infolist():
            with file.open(info) as stream:
                head = stream.read(CHUNK)
                if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                    source.refuse("a workbook in", "one with a document type of its own", _EXPORT)
                most -= len(head)
                while most >= 0 and (chunk := stream.read(CHUNK)):
                    most -= len(chunk)
            if most < 0:
                got = f"a workbook that becomes more than {MAX_RATIO} times as large"
                source.refuse("a table of a size that can be read in", got, "save the table as CSV if you trust it")


MOST_COLUMNS = 1 << 16
_FEW = 20  # names that a message lists


class UnknownColumnError(ValueError):
    """The table has no column of this name.

    Attributes
    ----------
    name : str
        The requested column.
    known : list of str
        The columns of the table.
    """

    def __init__(self, message: str, name: str, known: Sequence[str]) -> None:
        super().__init__(message)
        self.name, self.known = name, list(known)


@dataclass(frozen=True)
class Options:
    """The options of ``read_table``; None for those that the file determines."""

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    header: bool | None = None
    missing: Collection[str] = ()
    columns: Collection[str] | None = None
    text: Collection[str] = ()
    query: str | None = None
    sheet: str | int | None = None

    def __post_init__(self) -> None:
        for name in ("missing", "columns", "text"):
            value: Any = getattr(self, name)
            if isinstance(value, str) or (value is not None and not all(isinstance(part, str) for part in value)):
                raise TypeError(sentence(WHO, f"{name} to be a list of texts", repr(value), f"pass {name}=[...]"))
        header: Any = self.header
        if header is not None and not isinstance(header, bool):
            remedy = "pass True if the first line names the columns"
            raise TypeError(sentence(WHO, "header to be True, False or None", repr(header), remedy))
        mark: Any = self.delimiter
        if mark is not None and (not isinstance(mark, str) or len(mark) != 1 or mark.isalnum() or mark in '"\r\n'):
            expected = "delimiter to be one character, such as ';', or ' ' for any blanks"
            raise ValueError(sentence(WHO, expected, repr(mark)))
        if self.decimal not in (None, POINT, COMMA):
            raise ValueError(sentence(WHO, "decimal to be '.' or ','", repr(self.decimal)))


def choose(source: Source, names: Sequence[str], options: Options) -> list[int]:
    """Return the positions of the columns to read: the requested ones, or all with a name."""
    known = [name for name in names if name]
    there = set(known)
    for name in [*(options.columns or ()), *options.text]:
        if name not in there:
            some = ", ".join(known[:_FEW]) + (", ..." if len(known) > _FEW else "")
            got = f"{name!r}{nearest(name, known)}"
            message = sentence(WHO, f"the name of a column of {source.name}", got, f"its columns: {some}")
            raise UnknownColumnError(message, name, known)
    wanted = None if options.columns is None else set(options.columns)
    chosen = [at for at, name in enumerate(names) if name and (wanted is None or name in wanted)]
    if not chosen:
        source.refuse("a column with a name in", "none")
    if len(chosen) > MOST_COLUMNS:
        source.refuse(f"at most {MOST_COLUMNS:,} columns in", f"{len(chosen):,}", "choose some with columns=[...]")
    return chosen

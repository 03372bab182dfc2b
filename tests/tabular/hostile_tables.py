"""Two hundred and ten files that nobody should believe: families of ten.

Run as a program, with the numbers of those of each family to take, it writes, reads and encodes them with little
memory. It prints a line of JSON for each: its name, the kind of outcome, the message, and the most memory so far in
megabytes. A crash, or memory beyond the limit, ends the program before its last line.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import sqlite3
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

Rng = np.random.Generator
EACH = 10
LIMIT = 3 << 30  # bytes of address space
MB = 1 << 20
MANY = 10**6  # rows that are honestly there, and only read
GOOD = "a,b\n" + "".join(f"{i},{i / 3:.3f}\n" for i in range(100))


def ragged(rng: Rng, at: int) -> bytes:
    rows = [",".join(map(str, rng.integers(0, 9, int(rng.integers(1, 8))))) for _ in range(50 * 10 ** (at % 3))]
    return ("a,b,c\n" + "\n".join(rows)).encode()


def huge_fields(rng: Rng, at: int) -> bytes:
    size = int([10**5, MB, 3 * MB, 20 * MB, 70 * MB][at % 5])
    cell = b"x" * size if at < 5 else b'"' + b"x\n" * (size // 2) + b'"'
    return b"a,b\n1," + cell + b"\n2,y\n"


def control_characters(rng: Rng, at: int) -> bytes:
    text = bytearray(GOOD.encode())
    for place in rng.integers(0, len(text), 5 * (at + 1)):
        text[place] = int(rng.choice([0, 1, 7, 8, 11, 12, 27, 28, 127] if at % 2 else [7, 27, 11, 28]))
    return bytes(text)


def mixed_encodings(rng: Rng, at: int) -> bytes:
    encodings = ["utf-8", "cp1252", "utf-16-le", "cp1251", "shift_jis"]
    words = {"utf-8": "größe", "cp1252": "größe", "utf-16-le": "größe", "cp1251": "размер", "shift_jis": "大きさ"}
    parts = [str(encodings[int(i)]) for i in rng.integers(0, 5, 4)]
    return b"a,b\n" + b"".join(f"{words[part]},{i}\n".encode(part) for i, part in enumerate(parts))


def many_columns(rng: Rng, at: int) -> bytes:
    count = 100_000
    if at < 3:
        return (",".join(f"c{i}" for i in range(count)) + "\n" + ",".join("1" * count) + "\n").encode()
    if at < 6:
        return ("\t" * count + "\n").encode() * at
    if at < 8:
        return (json.dumps({f"k{i}": i for i in range(count)}) + "\n").encode()
    lines = (json.dumps({f"k{i}-{j}": 1 for j in range(50)}) for i in range(2000 if at == 8 else 1300))
    return "\n".join(lines).encode()


def gzip_bombs(rng: Rng, at: int) -> bytes:
    """A few hundred megabytes of the same."""
    return gzip.compress([b"\0", b"1,2\n", b"\n", b"a,", b" "][at % 5] * (4 * MB)) * 60


def zip_bombs(rng: Rng, at: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("t.csv", [b"1,2\n", b"\0\0\0\0", b"    "][at % 3] * (25 * MB))
    made = bytearray(content.getvalue())
    if at % 2:  # the size that is claimed is a lie
        place = made.rfind(b"PK\x01\x02")
        made[place + 24 : place + 28] = struct.pack("<I", 100)
    return bytes(made)


def workbooks(rng: Rng, at: int) -> bytes:
    rows = [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>',
        "".join(f'<row r="{i}"><c r="XFD{i}"><v>1</v></c></row>' for i in range(1, 20_000)),
        '<row r="1">' + '<c r="A1"><v>1</v></c>' * 200_000 + "</row>",
        '<row r="x"><c r="?"><v>1</v></c></row>',
        "<row>" * 5000,
    ][at % 5]
    head = '<?xml version="1.0"?>'
    if at >= 5:
        lines = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha"}">' for i in range(10))
        head += f"<!DOCTYPE x [{lines}]>"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'{head}<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            file.writestr(name, text)
    return content.getvalue()


def _table(rng: Rng, rows: int = 1000) -> pa.Table:
    words = [str(word) for word in rng.choice(["x", "yy", "zzz"], rows)]
    return pa.table({"a": rng.normal(size=rows), "b": words, "c": rng.integers(0, 9, rows)})


def _damaged(rng: Rng, content: bytes, count: int) -> bytes:
    changed = bytearray(content)
    for place in rng.integers(0, len(changed), count):
        changed[place] = int(rng.integers(0, 256))
    return bytes(changed)


def parquet_files(rng: Rng, at: int) -> bytes:
    content = io.BytesIO()
    if at < 2:  # half a billion rows in a few kilobytes
        nothing = pa.nulls(10**7, [pa.int8(), pa.string()][at])
        pa.parquet.write_table(pa.table({"a": pa.chunked_array([nothing] * 40)}), content)
        return content.getvalue()
    pa.parquet.write_table(_table(rng), content)
    made = content.getvalue()
    return made[: len(made) // at] if at < 4 else _damaged(rng, made, at)


def arrow_files(rng: Rng, at: int) -> bytes:
    content = io.BytesIO()
    if at < 3:  # a gigabyte of zeros, or the claim to be more
        zeros = pa.array(np.zeros(MB))
        table = pa.table({"a": pa.chunked_array([zeros] * [60, 400, 1][at])})
        pa.feather.write_feather(table, content, compression="zstd", chunksize=MB)
        made = content.getvalue()
        return made if at < 2 else made.replace(struct.pack("<q", 8 * MB), struct.pack("<q", 1 << 50))
    pa.feather.write_feather(_table(rng), content, compression="lz4")
    made = content.getvalue()
    return made[: len(made) // 2] if at == 3 else _damaged(rng, made, at)


def json_lines(rng: Rng, at: int) -> bytes:
    return [
        b'{"a": ' * 200_000,
        b'{"a": ' + b"9" * 10_000 + b"}\n",
        b'{"a": 1e999}\n{"a": -1e999}\n',
        b'{"a": "\\ud800"}\n',
        b'{"a": 1, "a": 2}\n',
        b"[" * 100_000,
        b'{"a": "' + b"x" * (70 * MB * (at == 6)) + b'"}\n',
        b'{"": 1}\n{"": 2}\n',
        b'{"a": 1}\x00\n',
        b'{"a": [[[[1]]]], "b": {"c": null}}\n{"a": 1, "b": true}\n',
    ][at]


def databases(rng: Rng, at: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.db")
        connection = sqlite3.connect(path)
        if at < 3:
            big = ["1", "printf('%.*c', 100000, 'x')", "zeroblob(1000000000)"][at]
            endless = (
                f"WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 900000000) SELECT {big} FROM r"
            )
            connection.execute(f"CREATE VIEW v AS {endless}")
        else:
            connection.execute("CREATE TABLE t (a, b)")
            connection.executemany(
                "INSERT INTO t VALUES (?, ?)", [(i, b"\xff" if at == 3 else "x") for i in range(500)]
            )
        connection.commit()
        connection.close()
        content = path.read_bytes()
    return content if at < 4 else content[: len(content) // 2] if at == 4 else _damaged(rng, content, 3 * at)


def quotes(rng: Rng, at: int) -> bytes:
    text = bytearray(GOOD.encode())
    for place in rng.integers(0, len(text), at + 1):
        text[place : place + 1] = b'"'
    return bytes(text) * (1 if at < 5 else 300)


def random_bytes(rng: Rng, at: int) -> bytes:
    return rng.integers(0, 256, 10 ** (1 + at // 2), np.uint8).tobytes()


def cut_gzip(rng: Rng, at: int) -> bytes:
    content = gzip.compress(GOOD.encode() * 1000)
    return content[: int(rng.integers(3, len(content)))] if at % 2 else _damaged(rng, content, 3)


def punctuation(rng: Rng, at: int) -> bytes:
    marks = list(",;\t| \n\"'.-+eE0123456789ab") + (["\r", "é", "\u2028", "\x0b"] if at % 2 else [])
    return "".join(rng.choice(marks, 3000)).encode()


def numbers(rng: Rng, at: int) -> bytes:
    cells = ["1e999", "--1", "1,2,3,4", "9" * 5000, "1.2.3", "0x1F", "inf", "nan", "1" * 310, "-0", "٣", "½", "1e-999"]
    return ("a;b\n" + "".join(f"{rng.choice(cells[: at + 3])};{i}\n" for i in range(200))).encode()


def headers(rng: Rng, at: int) -> bytes:
    names = ["", "a", "a", "a.1", "\x1b[2J", "x" * 10_000, '"q""q"', " ", "0", "\u202e", "NA", "=1+1"]
    chosen = [str(name) for name in rng.choice(names, 8)]
    return (",".join(chosen) + "\n" + "1,2,3,4,5,6,7,8\n" * (at + 1)).encode()


def utf_16(rng: Rng, at: int) -> bytes:
    content = GOOD.encode("utf-16")
    return content[:-1] if at < 3 else _damaged(rng, content, at) if at < 7 else content[2 : 2 + at * 20 + 1]


def line_ends(rng: Rng, at: int) -> bytes:
    ends = rng.choice(["\n", "\r", "\r\n", "\r\r\n", "\n\r", "\x0b", "\u2028", "\x85"], 100)
    return "".join(f"{i},{i % 7}{end}" for i, end in enumerate(ends)).encode()


def nearly_nothing(rng: Rng, at: int) -> bytes:
    return [b"", b"\xef\xbb\xbf", b"   \n\t\n", b",,,\n", b"sep=;\n", b'"', b"\xff\xfe", b"\n" * 10**6, b"a", b"\0"][at]


FAMILIES: tuple[Callable[[Rng, int], bytes], ...] = (
    ragged, huge_fields, control_characters, mixed_encodings, many_columns, gzip_bombs, zip_bombs, workbooks,
    parquet_files, arrow_files, json_lines, databases, quotes, random_bytes, cut_gzip, punctuation, numbers, headers,
    utf_16, line_ends, nearly_nothing,
)  # fmt: skip


def cases(chosen: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    for family in FAMILIES:
        for at in chosen:
            yield f"{family.__name__} {at}", family(np.random.default_rng([at, len(family.__name__)]), at)


def own_peak() -> int:
    """Bytes of memory that this process had at most; ``ru_maxrss`` on Linux begins with what its parent had."""
    status = Path("/proc/self/status")
    if status.is_file():
        return 1024 * int(status.read_text(encoding="utf-8").split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    from chainrule.tabular.encoding import TableEncoder
    from chainrule.tabular.kinds import understand
    from chainrule.tabular.reading import read_table

    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t")
        for name, content in cases([int(at) for at in sys.argv[1:]]):
            path.write_bytes(content)
            del content
            try:
                table = read_table(path)
                outcome, message = "read", repr(table)
                if len(table.frame) < MANY:
                    TableEncoder().fit(table, understand(table))
            except Exception as error:
                outcome, message = type(error).__name__, str(error)
            table = None
            peak = own_peak() >> 20
            print(json.dumps([name, outcome, message.replace(str(path), "t"), peak]), flush=True)


if __name__ == "__main__":
    main()

"""Split one record of a CSV file into its fields, as RFC 4180 says.

Fields stand between commas. One that begins with a quote ends at the next single quote, may hold
commas and line ends, and writes a quote as two; in any other field a quote is an ordinary
character. Nothing else is special: the csv module, which refuses a carriage return in a field and
fields of over 128 KiB, is not used. The time is linear in the record's length.
"""

from __future__ import annotations

from collections.abc import Iterator


def split_record(line: str, *, further: Iterator[str]) -> list[str]:
    """Return the fields of the record that begins with `line`, which has its line end.

    Lines are taken from `further` as long as a quote is open. Raises `ValueError` where a quote is
    never closed, or where a field goes on after the quote that closes it.
    """
    if '"' not in line:
        return without_end(line).split(",")
    fields: list[str] = []
    position, stop = 0, len(without_end(line))
    while True:
        if line.startswith('"', position):
            field, line, position = _quoted(line, position + 1, further=further)
            if field is None:
                raise ValueError(f"field {len(fields) + 1} opens a quote that is never closed")
            stop = len(without_end(line))
        else:
            comma = line.find(",", position, stop)
            end = stop if comma < 0 else comma
            field, position = line[position:end], end
        fields.append(field)
        if position == stop:
            return fields
        if line[position] != ",":
            raise ValueError(f"field {len(fields)} goes on after the quote that closes it")
        position += 1


def without_end(line: str) -> str:
    """Take from a line its line feed, and one carriage return before it."""
    return line.removesuffix("\n").removesuffix("\r")


def _quoted(line: str, position: int, *, further: Iterator[str]) -> tuple[str | None, str, int]:
    """Return the field whose quote stands before `position`, and line and place of its end.

    The field is None where the lines end before the quote is closed.
    """
    parts: list[str] = []
    while True:
        end = line.find('"', position)
        if end < 0:
            parts.append(line[position:])
            line, position = next(further, ""), 0
            if not line:
                return None, line, position
        elif line.startswith('"', end + 1):
            parts.append(line[position : end + 1])
            position = end + 2
        else:
            parts.append(line[position:end])
            return "".join(parts), line, end + 1

"""Text of strangers, made fit to be shown: on a terminal, in a log, in a table.

A board, a model, a manifest or a colleague's record may hold anything: escape sequences that clear the screen
or set its title, carriage returns that hide what was printed, marks that turn the direction of writing.
"""


def printable(value: object) -> str:
    """`value` as text without control and format characters, which become `?` (a tab: a space); line ends
    stay.

    Control characters (Cc), format and bidi marks (Cf), surrogates, private and unassigned characters, and
    every kind of space but the plain one.
    """
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else " " if c == "\t" else "?" for c in text)


def one_line(value: object) -> str:
    """Return `value` as `printable` does, in one line: line ends become spaces."""
    return printable(str(value).replace("\n", " "))


def first_line(value: object, limit: int = 300) -> str:
    """Return the first line of a message, at most `limit` characters, printable.

    The repr of what is empty.
    """
    start = str(value).strip()[: 4 * limit].splitlines()
    return printable(start[0] if start else repr(value)[:limit])[:limit]

"""`TypedDict` for the type checker: while it runs, Python 3.6 has none and nothing asks for one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypedDict as TypedDict  # novm: the checker's alone
else:

    class TypedDict(dict):
        """A plain dict: Python 3.6 has no typing.TypedDict, and nothing asks for one while running."""

        def __init_subclass__(cls, total=True):
            super().__init_subclass__()

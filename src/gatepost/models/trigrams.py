"""Which texts a trigram index can find: PostgreSQL needs three letters or digits in a row.

In the request path, for filters that search a text only: a text without a trigram would be searched for
in every row of the table. What counts as a letter depends on the database's LC_CTYPE; `database/trigram_probe.py` reads
it at start.
"""

RUN = 3
"""Letters or digits in a row that make a trigram inside a text; at the beginning of a text one is enough."""


class Trigrams:
    """The characters that make trigrams in one database.

    `sees_unicode`: whether letters beyond ASCII count. None until the database was asked, and treated as False.
    """

    __slots__ = ("sees_unicode",)

    def __init__(self) -> None:
        self.sees_unicode: bool | None = None

    def can_find(self, text: str, *, at_beginning: bool) -> bool:
        """Whether the index can look for a text: anywhere, or at the beginning of the column's."""
        wanted, run = 1 if at_beginning else RUN, 0
        for character in text.lower():  # as the index does; some capitals become two characters, one not a letter
            # Only ASCII digits are digits to PostgreSQL; marks, and numbers such as one half, are not letters.
            is_seen = character.isalnum() if character.isascii() else bool(self.sees_unicode) and character.isalpha()
            run = run + 1 if is_seen else 0
            if run == wanted:
                return True
        return False

    def requirement(self, *, at_beginning: bool) -> str:
        """What the text of a filter must have, for the error message."""
        kind = "letters or digits" if self.sees_unicode else "letters (a to z) or digits"
        return f"Send at least one of the {kind}." if at_beginning else f"Send at least three {kind} in a row."

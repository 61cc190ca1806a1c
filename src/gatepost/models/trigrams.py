"""Which texts a trigram index can find: PostgreSQL looks for three letters or digits in a row, and can use no less.

In the request path, for filters with `contains` and `starts_with` only: any other text would be looked for in every row
of the table. Which letters there are depends on the database's LC_CTYPE; `database/trigram_probe.py` asks it at start.
"""

RUN = 3
"""Letters or digits in a row that make one trigram in the middle of a text; at its beginning one is enough."""


class Trigrams:
    """What the trigrams of one database are made of.

    `sees_unicode`: letters beyond ASCII as well. None until the database was asked, which counts as no.
    """

    __slots__ = ("sees_unicode",)

    def __init__(self) -> None:
        self.sees_unicode: bool | None = None

    def can_find(self, text: str, *, at_beginning: bool) -> bool:
        """Whether the index can look for a text: anywhere, or at the beginning of the column's."""
        wanted, run = 1 if at_beginning else RUN, 0
        for character in text.lower():  # as the index does; some capitals become two characters, one of them no letter
            # PostgreSQL has no other digits than these, and marks and numbers such as one half are none of its letters.
            is_seen = character.isalnum() if character.isascii() else bool(self.sees_unicode) and character.isalpha()
            run = run + 1 if is_seen else 0
            if run == wanted:
                return True
        return False

    def wish(self, *, at_beginning: bool) -> str:
        """What a refused text should have, in words."""
        kind = "letters or digits" if self.sees_unicode else "letters (a to z) or digits"
        return f"one of the {kind} is wanted" if at_beginning else f"three {kind} in a row are wanted"

"""The bare ceiling with the page of `endpoints_app.py`: five members of a book, one an expression, one a relation."""

from benchmarks import ceiling_data

_CARD = """concat('{"id":"', book.id, '","title":', to_json(title), ',"price":"', price, '","is_available":',
    (stock > 0)::text, ',"author":{"name":', to_json(author.name), '}}')"""

ceiling_data.PAGE = f"""SELECT string_agg(card, E',\\n'), count(*) FROM (
    SELECT {_CARD} AS card FROM books AS book JOIN authors AS author ON author.id = book.author_id
    WHERE price < $1 ORDER BY price DESC, book.id DESC LIMIT $2) AS page"""

from benchmarks.ceiling import app  # noqa: E402 - reads the statement when it is imported

__all__ = ["app"]

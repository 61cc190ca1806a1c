"""The language that a client asks for."""

import pytest

from gatepost.languages import preferred_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", None),
        ("de", "de"),
        ("DE-ch", "de-CH"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("en, de", "en"),
        ("en;q=0.5, de;q=0.8", "de"),
        ("en;q=0.5, de", "de"),
        ("de;q=0", None),
        ("*", None),
        ("*, fr;q=0.1", "fr"),
        ("en ; q=0.5 ,de;Q=0.6", "de"),
        # malformed
        ("de;q=2, en;q=0.1", "en"),
        ("de_CH, en", "en"),
        ("de;q=x,,;q=1", None),
        ("<script>", None),
        (",".join(["x;q=0.1"] * 20 + ["de"]), "x"),
        ("a" * 100_000, None),
    ],
)
def test_the_best_of_what_is_asked(header: str, language: str | None) -> None:
    assert preferred_language(header) == language

"""Every code of a single violation (`errors[].code`), with the values of its sentence that clients get beside it.

A foundation, and data: `docs/reference/errors.md` is made from it. What raises a code passes the values as `params`,
with exactly the names that are listed here, and none but those that its sentence tells anyway.
"""

import msgspec


class FieldCode(msgspec.Struct, frozen=True):
    """One code: what it means, what to do about it, and the names in its `params`.

    `params` lists the sets of names that may stand together; the empty one is an error without `params`.
    """

    meaning: str
    advice: str
    params: tuple[tuple[str, ...], ...] = ((),)


FIELD_CODES: dict[str, FieldCode] = {
    "required": FieldCode(
        "The field is missing.",
        "Send it.",
    ),
    "not_nullable": FieldCode(
        "The field cannot be null.",
        "Send a value, or omit the field from a `PATCH`.",
    ),
    "wrong_type": FieldCode(
        "The value does not have the type of the field.",
        "Send the type that `detail` names.",
        (("expected",), ()),
    ),
    "unknown_field": FieldCode(
        "There is no such field.",
        "Omit it, or use the similar name in `detail`.",
        ((), ("suggestion",), ("more",)),
    ),
    "read_only": FieldCode(
        "The field cannot be written, or not by you.",
        "Omit it, or send its current value (with 403: omit it).",
    ),
    "write_once": FieldCode(
        "The field cannot be changed after creation.",
        "Omit it, or send the value that the row has.",
    ),
    "too_small": FieldCode(
        "The number or date is below its bound.",
        "`detail` names the bound.",
        (("min",), ("more_than",), ("digits",), ()),
    ),
    "too_large": FieldCode(
        "The number or date is above its bound.",
        "`detail` names the bound.",
        (("max",), ("less_than",), ("digits",), ()),
    ),
    "too_short": FieldCode(
        "The text or list is shorter than its bound.",
        "`detail` names the bound.",
        (("min",),),
    ),
    "too_long": FieldCode(
        "The text or list is longer than its bound.",
        "`detail` names the bound.",
        (("max",), ()),
    ),
    "too_precise": FieldCode(
        "The number has more digits than the column can store.",
        "Round it yourself; Gatepost never rounds.",
        (("digits",), ()),
    ),
    "not_finite": FieldCode(
        "NaN and infinity are not numbers here.",
        "Send a number.",
    ),
    "not_a_multiple": FieldCode(
        "The number is not a multiple of its step.",
        "`detail` names the step.",
        (("multiple_of",),),
    ),
    "pattern_mismatch": FieldCode(
        "The text does not have the required form.",
        "`detail` names the condition.",
        (("predicate",), ("pattern",), ()),
    ),
    "invalid_format": FieldCode(
        "The text is not a valid UUID, date, time, interval or base64.",
        "`detail` shows the form.",
        (("format",), ()),
    ),
    "invalid_text": FieldCode(
        "The text holds a character that PostgreSQL cannot store (NUL, lone surrogate).",
        "Remove it.",
    ),
    "invalid_value": FieldCode(
        "The application's own code refuses the value.",
        "`detail` is the text of its error.",
    ),
    "not_a_choice": FieldCode(
        "The value is not one of the choices.",
        "`detail` names them.",
        (("choices",), ("choices", "more"), ()),
    ),
    "too_deep": FieldCode(
        "The value nests deeper than allowed.",
        "Send a flatter document.",
        (("max",), ()),
    ),
    "already_exists": FieldCode(
        "Another row has this value already.",
        "Occurs only with status 409; send another value.",
    ),
    "not_found": FieldCode(
        "No row that you may read has this key.",
        "Occurs only with the code `reference_not_found`; correct the key.",
    ),
    "violates_check": FieldCode(
        "The values violate a check constraint of the table.",
        "`detail` names the constraint.",
        (("constraint",),),
    ),
    "refused_by_trigger": FieldCode(
        "A trigger of the database refuses the value.",
        "Occurs only with the code `refused_by_trigger`; send another value.",
    ),
}


PARAMS: dict[str, str] = {
    "choices": "the values that are accepted; the first 20 where there are more",
    "constraint": "the name of the check constraint",
    "digits": "the most digits: after the point with `too_precise`, before it with `too_small` and `too_large`",
    "expected": "the type to send: `text`, `number`, `integer`, `boolean`, `list`, `object`, `JSON` or one of `format`",
    "format": "the form to send: `uuid`, `date-time`, `date`, `time`, `duration`, `base64` or `list`",
    "less_than": "the bound, which is too large itself",
    "max": "the bound, which is accepted itself: the largest value, or the most characters, elements or levels",
    "min": "the bound, which is accepted itself: the smallest value, or the fewest characters or elements",
    "more": "how many further ones there are that are not listed",
    "more_than": "the bound, which is too small itself",
    "multiple_of": "the step",
    "pattern": "the regular expression that the text has to match",
    "predicate": "the name of the condition",
    "suggestion": "the name that is similar",
}
"""What each name in `params` is."""

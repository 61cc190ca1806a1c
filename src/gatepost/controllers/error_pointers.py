"""Pointers of errors: what services say of attributes, as the client that sent a body knows them."""

import msgspec

from gatepost.declaring.wire_names import WireName
from gatepost.errors import Problem
from gatepost.json_pointers import with_first


def with_wire_names(problem: Problem, wire_name: WireName) -> Problem:
    """The refusal of a service, whose pointers begin with names of attributes, with the names that clients know."""
    if not problem.errors or wire_name is str:
        return problem
    return problem.with_errors(
        [msgspec.structs.replace(error, pointer=with_first(error.pointer, wire_name)) for error in problem.errors]
    )

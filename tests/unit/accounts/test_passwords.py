"""Passwords: argon2id with the parameters that are written down, off the event loop, bounded."""

import asyncio
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters

from gatepost.accounts.passwords import Passwords, check_new_password, dummy_hash
from gatepost.errors import ConfigurationError, ServiceUnavailable

WEAKER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse")


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_hash_is_verified_by_its_password_alone(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horsE")


@pytest.mark.parametrize("stored", [None, "", "plain text", "$argon2id$v=19$broken", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_without_a_usable_hash_no_password_is_right(passwords: Passwords, stored: str | None) -> None:
    assert not await passwords.verify(stored, "correct horse")


async def test_verifying_for_nobody_is_the_same_work_as_for_somebody(passwords: Passwords) -> None:
    assert extract_parameters(dummy_hash()) == extract_parameters(await passwords.hash("correct horse"))


def test_a_hash_with_other_parameters_needs_to_be_made_again(passwords: Passwords) -> None:
    assert passwords.needs_rehash(WEAKER)


async def test_a_hash_with_other_parameters_still_verifies(passwords: Passwords) -> None:
    assert await passwords.verify(WEAKER, "correct horse")
    assert not passwords.needs_rehash(await passwords.hash("correct horse"))


async def test_the_event_loop_runs_on_while_a_password_is_verified(passwords: Passwords) -> None:
    verification = asyncio.ensure_future(passwords.verify(None, "correct horse"))
    turns = 0
    while not verification.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20


async def test_more_sign_ins_than_may_wait_are_refused_and_the_room_comes_back() -> None:
    passwords = Passwords(threads=1, waiting_max=1)
    try:
        tries = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(4)), return_exceptions=True)
        refused = [outcome for outcome in tries if isinstance(outcome, ServiceUnavailable)]
        assert [problem.code for problem in refused] == ["sign_in_busy", "sign_in_busy"]
        assert await passwords.verify(None, "x") is False
    finally:
        passwords.close()


async def test_a_client_that_leaves_does_not_free_the_room_that_its_work_takes() -> None:
    passwords = Passwords(threads=1, waiting_max=0)
    try:
        left = asyncio.ensure_future(passwords.verify(None, "x"))
        await asyncio.sleep(0)
        left.cancel()
        with pytest.raises(ServiceUnavailable):
            await passwords.verify(None, "x")
    finally:
        passwords.close()


@pytest.mark.parametrize(
    ("password", "is_good"),
    [("1234567", False), ("12345678", True), ("p" * 256, True), ("p" * 257, False), ("𝄞" * 256, True)],
)
def test_a_new_password_has_8_to_256_characters(password: str, is_good: bool) -> None:
    if is_good:
        check_new_password(password)
    else:
        with pytest.raises(ConfigurationError, match="8 to 256"):
            check_new_password(password)

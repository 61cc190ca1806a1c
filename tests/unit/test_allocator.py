"""Memory of passwords that were verified, in a process of its own: the allocator's settings last as long as it does."""

import subprocess
import sys

PROGRAM = """
import asyncio, sys
from gatepost.accounts.passwords import Passwords
from gatepost.allocator import return_large_blocks

def resident_mib():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024

async def main():
    passwords = Passwords(threads=4)
    before = resident_mib()
    await asyncio.gather(*(passwords.verify(None, "wrong") for _ in range(12)))
    print(resident_mib() - before)

if sys.argv[1] == "returning":
    return_large_blocks()
asyncio.run(main())
"""


def grown_mib(how: str) -> float:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True, text=True, timeout=60)
    return float(ran.stdout)


def test_the_memory_of_passwords_is_given_back() -> None:
    assert grown_mib("returning") < 15
    assert grown_mib("as it comes") > 30, "the allocator gives back by itself: then the setting is not needed"

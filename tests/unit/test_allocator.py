"""Memory that was used for a while, in a process of its own: the allocator's settings last as long as it does."""

import subprocess
import sys

HEAD = """
import sys
from gatepost.allocator import return_large_blocks, share_one_arena

def resident_mib():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024
"""

PASSWORDS = """
import asyncio
from gatepost.accounts.passwords import Passwords

async def main():
    passwords = Passwords(threads=4)
    before = resident_mib()
    await asyncio.gather(*(passwords.verify(None, "wrong") for _ in range(12)))
    print(resident_mib() - before)

if sys.argv[1] == "returning":
    return_large_blocks()
asyncio.run(main())
"""


THREADS = """
import threading

BLOCKS, BYTES = 200, 32_768
kept, end = [], threading.Event()

def work(is_over):
    blocks = [b"x" * BYTES for _ in range(BLOCKS)]
    kept.append(b"x" * BYTES)  # behind them, so that the arena does not shrink
    del blocks
    is_over.set()
    end.wait()

if sys.argv[1] == "sharing":
    share_one_arena()
before = resident_mib()
threads = []
for _ in range(6):
    is_over = threading.Event()
    threads.append(threading.Thread(target=work, args=[is_over]))
    threads[-1].start()
    is_over.wait()
print(resident_mib() - before)
end.set()
"""


def grown_mib(program: str, how: str) -> float:
    command = [sys.executable, "-c", HEAD + program, how]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def test_the_memory_of_passwords_is_given_back() -> None:
    assert grown_mib(PASSWORDS, "returning") < 15
    assert grown_mib(PASSWORDS, "as it comes") > 30, (
        "the allocator gives back by itself: then the setting is not needed"
    )


def test_threads_use_again_what_others_have_freed() -> None:
    assert grown_mib(THREADS, "sharing") < 15
    assert grown_mib(THREADS, "as it comes") > 30, "threads share by themselves: then the setting is not needed"

"""A million lines of four processes while files are closed and compressed: none is lost, none is torn.

The figures go to stdout. What `tests/unit/logging/test_files.py` shows with 80,000 lines, at the length at which
`logging.handlers.RotatingFileHandler` loses thousands.
"""

import subprocess
import sys
import time
from pathlib import Path

from gatepost.logging.archive import closed_files
from gatepost.zstandard import decompressed

PROCESSES = 4
LINES = 250_000
ROTATIONS_MIN = 20
BYTES_MAX = 100_000_000
"""A file is closed at a sixteenth of it: the lines of all processes fill some thirty. Compressed, they are so small
that none has to be deleted."""

WRITER = """
import sys
from pathlib import Path
from gatepost.logging.files import LogFiles

files = LogFiles(Path(sys.argv[1]), int(sys.argv[4]))
for number in range(0, int(sys.argv[3]), 100):
    lines = [(0, b"%s %d %s\\n" % (sys.argv[2].encode(), each, b"x" * 180)) for each in range(number, number + 100)]
    assert files.put(lines) == 0
"""


def test_no_line_of_a_million_is_lost_or_torn(tmp_path: Path) -> None:
    began = time.monotonic()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number), str(LINES), str(BYTES_MAX)])
        for number in range(PROCESSES)
    ]
    assert [writer.wait() for writer in writers] == [0] * PROCESSES
    took = time.monotonic() - began
    files = [file for file in closed_files(tmp_path) if file.log == "combined"]
    texts = [decompressed(data) if file.is_compressed else data for file in files if (data := file.path.read_bytes())]
    lines = b"".join([*texts, (tmp_path / "combined.log").read_bytes()]).splitlines(keepends=True)
    torn = sum(len(line) < 180 or not line.endswith(b"x" * 180 + b"\n") for line in lines)
    last = [-1] * PROCESSES
    for line in lines:
        writer, number, _ = line.split(b" ")
        assert int(number) == last[int(writer)] + 1
        last[int(writer)] = int(number)
    lost = PROCESSES * LINES - len(lines)
    print(f"\n{len(lines)} lines in {took:.0f} s over {len(files)} closed files: {lost} lost, {torn} torn", end="")
    assert (lost, torn, last) == (0, 0, [LINES - 1] * PROCESSES)
    assert len(files) >= ROTATIONS_MIN

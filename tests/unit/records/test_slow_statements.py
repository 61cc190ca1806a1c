"""Slow statements are kept in a file of a fixed size, however long their texts are."""

from gatepost.records.slow_statements import KeptStatements, SlowStatement
from gatepost.records.snapshots import Snapshot
from gatepost.shared_files import shared_file

SIZE = 64 * 1024


def test_long_statements_make_room_for_each_other() -> None:
    file = Snapshot(shared_file("statements", SIZE), SIZE)
    kept = KeptStatements(file)
    for number in range(100):
        kept.add(SlowStatement(f"orders.{number}", f"SELECT {number} /* {'x' * 3000} */", 2.0, 1, float(number)))
        assert kept.save()
    names = {statement.name for statement in KeptStatements(file).all()}
    assert "orders.99" in names
    assert len(names) >= 5

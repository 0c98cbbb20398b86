"""The record of races: one database, an index of the run directories. Nothing is only in it; it can be rebuilt from them.

A race's own record is the SQLite file `record.sqlite` in its directory; a team's is a PostgreSQL database, by its URL. No SQL
stands outside this room.

A driver writes through an `Index`, which never fails or delays it:

    index = Index.open(out, say)                 # or Index.open(out, say, "postgresql://user@host/db"); raises Unusable
    index.put(run)                               # whenever a RunDirectory has changed; returns at once
    index.put_race()                             # whenever request.json, plan.json or race.json has
    index.close()                                # waits for what is pending, and says so where something is missing

Readers ask a `Record`:

    with Record.open(folder) as record:
        record.runs(), record.scores("kid"), record.best("kid"), record.cost()
"""

from ganwise.study.record.connect import Damaged, Lost
from ganwise.study.record.index import Index
from ganwise.study.record.store import Caught, Record

__all__ = ["Caught", "Damaged", "Index", "Lost", "Record"]

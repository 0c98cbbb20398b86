"""From tensors to numbers: what a record tells the doctor. Probes draw no random numbers and change nothing.

A probe is a row of the table: what it says, what it needs, how it is read, how often. They are listed in docs/doctor-signals.md.
"""

from ganwise.probes.alarm import Alarm
from ganwise.probes.moment import Look, Moment, Need
from ganwise.probes.points import Reference, pooled, spread
from ganwise.probes.table import CHEAP, DEAR, PROBES, STEP, Probe
from ganwise.probes.watch import RARE, Watch, numbers, undisturbed

__all__ = [
    "CHEAP",
    "DEAR",
    "PROBES",
    "RARE",
    "STEP",
    "Alarm",
    "Look",
    "Moment",
    "Need",
    "Probe",
    "Reference",
    "Watch",
    "numbers",
    "pooled",
    "spread",
    "undisturbed",
]

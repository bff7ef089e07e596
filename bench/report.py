"""What a program of this folder says: JSON lines as they come, a table for people at the end."""

import json
import statistics
import sys

from harness import OUT, ROOT
from judge import column, short


def note(text=""):
    print(text, file=sys.stderr, flush=True)


def in_words(command):
    return " ".join(command).replace(f"{ROOT}/", "")


class Report:
    """Collects what the rows gave: JSON lines as they come, the table at the end."""

    def __init__(self, facts):
        self.facts = facts
        self.table = []
        self.notes = []
        self.faults = 0
        self.lines = []
        self.gone = {}
        self.verdicts = {}
        self.file = open(OUT / "results.jsonl", "a", encoding="utf-8")

    def line(self, name, unit, values, params, command, losses=None):
        ordered = sorted(values)
        result = {
            "name": name, "value": statistics.median(ordered), "unit": unit, "min": ordered[0],
            "median": statistics.median(ordered), "max": ordered[-1], "values": values, "params": params,
            "losses": losses or {}, "versions": self.facts["versions"], "at": self.facts["at"], "command": command,
        }
        self.lines.append(result)
        text = json.dumps(result)
        print(text, flush=True)
        self.file.write(text + "\n")
        self.file.flush()

    def fault(self, text):
        self.faults += 1
        self.notes.append(f"  FAULT   {text}")
        note(f"FAULT {text}")

    def gave_up(self, row, contender, why):
        self.gone.setdefault(row, {})[contender] = why
        self.notes.append(f"  NOTE    {contender} gave up: {why}")
        note(f"  {contender} gave up: {why}")

    def end_row(self, rows):
        """Puts the row's part of the table, and under it what was wrong with it."""
        self.table += [*rows, *self.notes]
        self.notes = []


def tabulate(row, results, verdicts):
    table = ["", row.title, "  " + " " * 42 + "".join(f"{c:>32}" for c in results)]
    for metric in row.metrics:
        cells = []
        for figures in results.values():
            values = column(figures, metric.key)
            cells.append(f"{short(statistics.median(values))} [{short(min(values))} .. {short(max(values))}]"
                         if values else "-")
        if any(cell != "-" for cell in cells):
            table.append(f"  {metric.title + ', ' + metric.unit:<42}" + "".join(f"{c:>32}" for c in cells))
    return [*table, *(f"  target  {line}" for line in verdicts)]

"""Process tables as Mermaid state diagrams, drawn from the table itself so that they cannot disagree with it."""

from collections.abc import Iterator

from states.process import CHOSEN, JUSTIFIED, START, Process


def mermaid(process: Process) -> str:
    """Return the table as a Mermaid `stateDiagram-v2`: the path on top, one arrow per pair of states.

    Rows whose destination is computed (`reinstate`, `correct`) are notes, not arrows to every state.
    """
    lines = ["stateDiagram-v2", "    direction LR", *_arrows(process), *_ends(process), *_notes(process)]
    return "\n".join(lines) + "\n"


def _arrows(process: Process) -> Iterator[str]:
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in process.rows:
        if row.dest in {CHOSEN, JUSTIFIED}:
            continue
        for source in row.sources:
            names = arrows.setdefault((source, row.dest), [])
            if row.trigger not in names:
                names.append(row.trigger)
    for (source, dest), triggers in arrows.items():
        origin = "[*]" if source == START else source
        yield f"    {origin} --> {dest} : {' / '.join(triggers)}"


def _ends(process: Process) -> Iterator[str]:
    for state, spec in process.states.items():
        if spec.final:
            yield f"    {state} --> [*]"


def _notes(process: Process) -> Iterator[str]:
    computed = [row for row in process.rows if row.dest in {CHOSEN, JUSTIFIED}]
    for row in computed:
        sources = "any state" if set(row.sources) == set(process.states) else ", ".join(row.sources)
        where = "any state, with a reason" if row.dest == CHOSEN else "what the recorded facts justify"
        yield f"    note right of {process.path[0]} : {row.trigger}: from {sources} to {where}"

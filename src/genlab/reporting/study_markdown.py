"""A study's page in ``docs/studies``, and the ledger of all claims, as Markdown; prose around the markers stays."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from genlab.reporting.claim_views import count_verdicts, p_text, telling_text
from genlab.reporting.figure_specs import FigureSpec, read_figures
from genlab.reporting.markdown import BEGIN, END, write_figures
from genlab.reporting.markdown_table import table
from genlab.reporting.sheets import write_whole
from genlab.reporting.study_figures import figure_caption
from genlab.reporting.study_tables import as_markdown, study_tables
from genlab.reporting.study_views import is_of
from genlab.studies.folder import StudyRecord
from genlab.studies.ledger import CHANGED, UNDECIDED, LedgerRow
from genlab.studies.observations import Observation

VERDICTS = "<!-- verdicts, corrected for all claims -->"
"""What comes after it on a page is written anew with every ledger, also where the study's runs are not at hand."""
NAMED_RUNS = 20
"""So many runs that are not done are named; the rest are counted."""


def write_study_page(
    study: StudyRecord,
    observations: Sequence[Observation],
    ledger: Sequence[LedgerRow],
    folder: Path,
    command: str,
) -> Path:
    """Write what ``study`` found into ``<folder>/<study>.md`` and its figures beside it, and return the page's path.

    Between the page's markers, or as a new page. The figures are those that
    :func:`genlab.reporting.study_figures.draw_study` left in the study's ``figures/``; here they are called
    ``<study>_<figure>.png``. ``command`` is what wrote the page. Raises ``ValueError`` for a page with one marker only.
    """
    rows = [row for row in ledger if is_of(row, study)]
    parts = [
        f"Written by `{command}`.",
        f"**Question.** {study.definition.get('question') or ''}",
        f"**Command.** `{study.command}`",
        _progress(study),
        _settings(study),
        *(f"{found.title}:\n\n{as_markdown(found)}" for found in study_tables(study, observations)),
        *(_figure(study, spec, folder) for spec in read_figures(study.definition)),
        *((VERDICTS, _verdicts(rows)) if rows else ()),
    ]
    return _written(folder / f"{study.name}.md", study.name, parts)


def write_verdicts(name: str, ledger: Sequence[LedgerRow], folder: Path) -> Path | None:
    """Write the verdicts on the claims of study ``name`` into its page, whose tables and figures stay as they are.

    None where there is no page that has verdicts.
    """
    path = folder / f"{name}.md"
    before, marker, rest = (path.read_text(encoding="utf-8") if path.is_file() else "").partition(VERDICTS)
    _, end, after = rest.partition(END)
    if not (marker and end):
        return None
    rows = [row for row in ledger if row.study == name]
    path.write_text(f"{before}{VERDICTS}\n\n{_verdicts(rows)}\n\n{END}{after}", encoding="utf-8")
    return path


def write_claims_page(ledger: Sequence[LedgerRow], path: Path, command: str) -> Path:
    """Write the whole ledger as one table into ``path``, as :func:`write_study_page` does, and return the path."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in count_verdicts(ledger).items())
    corrected = next((f" Corrected by Holm for {row.corrected_for} claims." for row in ledger if row.corrected_for), "")
    header = ["claim", "statement", "verdict", "what was found", "p", "corrected", "seeds", "measure", "study"]
    rows = [
        [
            row.id,
            row.statement,
            _verdict(row),
            _found(row),
            p_text(row.p),
            p_text(row.p_corrected),
            str(row.seeds),
            row.measure,
            f"{_linked(row, path)}{f', {row.budget}' if row.budget else ''}",
        ]
        for row in ledger
    ]
    sentence = f"{len(ledger)} claims: {counts}.{corrected}{_taken_over(ledger)}"
    return _written(path, "Claims", [f"Written by `{command}`.", sentence, table(header, rows)])


def _taken_over(ledger: Sequence[LedgerRow]) -> str:
    """Which studies stand as an earlier ledger found them."""
    names = ", ".join(dict.fromkeys(row.study for row in ledger if row.from_earlier))
    return f" As an earlier ledger found them, for their runs are not at hand: {names}." if names else ""


def _written(path: Path, title: str, parts: Sequence[str]) -> Path:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {title}\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    return write_figures(path, "\n\n".join(part for part in parts if part) + "\n")


def _progress(study: StudyRecord) -> str:
    """How many runs are done, and what became of the others."""
    missing = [job for job in study.jobs if job.state != "done"]
    lines = [f"**Runs.** {len(study.jobs) - len(missing)} of {len(study.jobs)} done, at budget {study.budget}."]
    named = [f"- `{job.name}`: {job.state}{f', {job.reason}' if job.reason else ''}" for job in missing[:NAMED_RUNS]]
    if len(missing) > NAMED_RUNS:
        named.append(f"- and {len(missing) - NAMED_RUNS} more")
    return "\n\n".join([*lines, "\n".join(named)]).rstrip()


def _settings(study: StudyRecord) -> str:
    """What the budget sets for all runs, and for each of the named arms."""
    arms = study.definition.get("arms") or {}
    lines = [f"- {name}: {_as_words(settings)}" for name, settings in arms.items() if settings]
    common = _as_words(study.definition.get("settings") or {})
    return "\n\n".join([*([f"**Settings.** {common}"] if common else []), *(["\n".join(lines)] if lines else [])])


def _as_words(settings: Mapping[str, object]) -> str:
    return " ".join(f"`{key}={value}`" for key, value in settings.items())


def _figure(study: StudyRecord, spec: FigureSpec, folder: Path) -> str:
    """The link to a figure, which is copied beside the page; a line that says so where it was not drawn."""
    drawn = study.folder / "figures" / f"{spec.name}.png"
    if not drawn.is_file():
        return f"*{spec.title}*: not drawn, for nothing was measured yet."
    copy = write_whole(folder / f"{study.name}_{spec.name}.png", drawn.read_bytes())
    return f"![{spec.title}]({copy.name})\n\n*{spec.title}.* {figure_caption(study.definition, spec)}"


def _verdicts(rows: Sequence[LedgerRow]) -> str:
    header = ["claim", "statement", "rule", "verdict", "what was found", "p", "corrected", "seeds"]
    body = [
        [
            row.id,
            row.statement,
            row.rule,
            _verdict(row),
            _found(row),
            p_text(row.p),
            p_text(row.p_corrected),
            str(row.seeds),
        ]
        for row in rows
    ]
    tests = [f"- {row.id}: {part.text or part.missing}" for row in rows for part in row.parts]
    return "\n\n".join([table(header, body), "Every test:", "\n".join(tests)] if tests else [table(header, body)])


def _verdict(row: LedgerRow) -> str:
    return f"**{row.verdict}**"


def _found(row: LedgerRow) -> str:
    """The telling test, and why a claim is open; the p-values of decided ones stand in columns of their own."""
    which, telling = telling_text(row)
    said = row.reason if row.verdict == UNDECIDED else CHANGED if row.changed else ""
    return ". ".join(part for part in (f"{which}{telling}", said) if part)


def _linked(row: LedgerRow, path: Path) -> str:
    """The study's name, as a link where its page lies beside the ledger's."""
    page = path.parent / f"{row.study}.md"
    return f"[{row.study}]({page.name})" if page.is_file() else row.study

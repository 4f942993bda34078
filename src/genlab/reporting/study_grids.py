"""What the models of a study generated while they learned, side by side: a row an arm, a column a pass."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genlab.reporting.figure_specs import FigureSpec
from genlab.reporting.pictures import pass_of
from genlab.reporting.sheets import PANEL, Pixels, contact_sheet, save_png
from genlab.reporting.study_labels import ONE_ARM, arm_text
from genlab.reporting.study_values import jobs_meant
from genlab.studies.folder import StudyRecord

SIDE = 4
"""Images across and down of what is shown of a sheet: its upper left corner."""
MOST_PASSES = 6
GAP = 8


def write_grids(study: StudyRecord, spec: FigureSpec, path: Path) -> bool:
    """Write the picture to ``path``; false where no run has drawn images while it learned.

    The images are those of ``samples/epoch_0001.png`` and its like, whatever their size.
    """
    by_arm = _sheets_by_arm(study, spec)
    passes = spec.passes or _spaced(sorted({number for sheets in by_arm.values() for number in sheets}))
    wanted = {arm: sheets for arm, sheets in by_arm.items() if any(number in sheets for number in passes)}
    if not wanted:
        return False
    panels = [_corner(sheets[number]) if number in sheets else None for sheets in wanted.values() for number in passes]
    captions = [f"pass {number}" for _ in wanted for number in passes]
    titles = None if list(wanted) == [ONE_ARM] else list(wanted)
    sheet = contact_sheet(_same_size(panels), len(passes), gap=GAP, scale=1, captions=captions, row_titles=titles)
    save_png(sheet, path)
    return True


def sheet_corner(sheet: Pixels, side: int = SIDE) -> Pixels:
    """The first ``side`` x ``side`` images of a contact sheet (H, W), with the gaps around them; all, if it has fewer.

    Images are told apart by lines of the panel's grey through all of the sheet.
    """
    height = _end_of(np.asarray((sheet == PANEL).all(axis=1)), side)
    width = _end_of(np.asarray((sheet == PANEL).all(axis=0)), side)
    return sheet[:height, :width]


def _end_of(is_gap: NDArray[np.bool_], images: int) -> int:
    """Where the gap after so many images ends: ``is_gap`` (N,) says of each line whether it is one of the panel."""
    starts = np.flatnonzero(~is_gap & np.concatenate([[True], is_gap[:-1]]))
    ends = np.flatnonzero(is_gap & np.concatenate([~is_gap[1:], [True]])) + 1
    if len(starts) <= images:
        return len(is_gap)
    return int(ends[ends <= starts[images]].max(initial=0)) or len(is_gap)


def _sheets_by_arm(study: StudyRecord, spec: FigureSpec) -> dict[str, dict[int, Path]]:
    """The sheets of the first run of each arm that has any, by pass."""
    found: dict[str, dict[int, Path]] = {}
    for job, _ in jobs_meant(study, spec):
        pictures = () if job.run is None else job.run.pictures
        sheets = {number: path for path in pictures if (number := pass_of(path))}
        if sheets:
            found.setdefault(arm_text(job.arm), sheets)
    return found


def _spaced(passes: Sequence[int]) -> tuple[int, ...]:
    """At most ``MOST_PASSES`` of ``passes``, from the first to the last."""
    if len(passes) <= MOST_PASSES:
        return tuple(passes)
    places = np.linspace(0, len(passes) - 1, MOST_PASSES).round().astype(int)
    return tuple(passes[place] for place in places)


def _corner(path: Path) -> Pixels:
    try:
        with Image.open(path) as image:
            return sheet_corner(np.asarray(image.convert("L")))
    except OSError as error:
        raise ValueError(f"{path}: not a picture that can be read") from error


def _same_size(panels: Sequence[Pixels | None]) -> Pixels:
    """The panels as (N, H, W), each on a ground of the panel's grey; None is a pass that was not drawn."""
    known = [panel.shape for panel in panels if panel is not None]
    height, width = (max(sides) for sides in zip(*known, strict=True))
    ground = np.full((len(panels), height, width), PANEL, dtype=np.uint8)
    for place, panel in zip(ground, panels, strict=True):
        if panel is not None:
            place[: panel.shape[0], : panel.shape[1]] = panel
    return ground

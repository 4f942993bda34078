"""Dashboards as W&B reports: the one module of the package that imports what W&B ships (docs/adr/0007)."""

from collections.abc import Sequence

import wandb
import wandb_workspaces.reports.v2 as wr
from wandb.errors import Error as WandbError
from wandb_workspaces import expr
from wandb_workspaces.reports.v2 import interface

from genlab.checks import refuse
from genlab.run.dashboard_plan import (
    BARS,
    COORDINATES,
    CURVES,
    STEP,
    TABLE,
    Column,
    Dashboard,
    Panel,
    RunSet,
    Section,
)

SECONDS = 20
"""How long an answer is waited for."""


def publish(dashboards: Sequence[Dashboard], entity: str | None, project: str) -> list[str]:
    """Make a report of each, or bring the one of the same title up to date; returns their addresses.

    Raises ``ValueError`` where there is no account, or where W&B does not answer.
    """
    try:
        api = wandb.Api(timeout=SECONDS)
        owner = str(entity or api.default_entity or "")
        there = _reports(api, owner, project)
        return [_save(report_of(dashboard, owner, project), there) for dashboard in dashboards]
    except (WandbError, OSError, TimeoutError) as error:
        reason = " ".join(str(error).split())
        raise refuse("create", f"be left out without an account and a network ({reason})", True, "create") from error


def _reports(api: wandb.Api, entity: str, project: str) -> dict[str, str]:
    """The id of each of the project's reports, by its title; none of a project that nobody has written to yet."""
    if all(known.name != project for known in api.projects(entity)):
        return {}
    return {str(report.display_name): str(report.id) for report in api.reports(f"{entity}/{project}")}


def _save(report: wr.Report, there: dict[str, str]) -> str:
    """Save the report, in the place of the one of its title; its address."""
    report.id = there.get(report.title, "")
    return str(report.save().url)


def report_of(dashboard: Dashboard, entity: str, project: str) -> wr.Report:
    """The report, not yet saved; made without a network."""
    blocks = [block for section in dashboard.sections for block in _blocks(section)]
    return wr.Report(
        entity=entity,
        project=project,
        title=dashboard.title[:128],
        description=dashboard.description,
        width="fluid",
        blocks=[wr.TableOfContents(), *blocks],
    )


def _blocks(section: Section) -> list[interface.Block]:
    texts = [wr.P(line) for line in section.text.splitlines()]
    panels = [_panel(panel) for panel in section.panels]
    return [wr.H2(section.heading), *texts, wr.PanelGrid(runsets=[_runset(section.runs)], panels=panels)]


def _runset(runs: RunSet) -> wr.Runset:
    filters = [expr.Metric("Group").isin(list(runs.groups)), expr.Metric("JobType") == runs.job_type]
    filters += [expr.Tags().isin([tag]) for tag in runs.tags]
    return wr.Runset(name=runs.name, filters=filters, groupby=[f"config.{key}" for key in runs.together])


def _panel(panel: Panel) -> interface.Panel:
    if panel.kind == CURVES:
        return wr.LinePlot(title=panel.title, x=STEP, y=list(panel.keys), title_x="iteration")
    if panel.kind == BARS:
        return wr.BarPlot(title=panel.title, metrics=list(panel.keys))
    if panel.kind == TABLE:
        return wr.WeavePanelSummaryTable(table_name=panel.keys[0], layout=wr.Layout(w=24, h=10))
    if panel.kind == COORDINATES:
        columns = [_column(column) for column in panel.columns]
        return wr.ParallelCoordinatesPlot(title=panel.title, columns=columns, layout=wr.Layout(w=24, h=10))
    return wr.MediaBrowser(title=panel.title, media_keys=list(panel.keys), layout=wr.Layout(w=12, h=10))


def _column(column: Column) -> wr.ParallelCoordinatesPlotColumn:
    key = wr.SummaryMetric(column.key) if column.measured else wr.Config(column.key)
    return wr.ParallelCoordinatesPlotColumn(key, display_name=column.label, inverted=column.upside_down or None)

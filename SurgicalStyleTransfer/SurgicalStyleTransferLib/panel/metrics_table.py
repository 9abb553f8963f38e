"""Quality metrics of a result: rows for the panel, a table and a plot node per slice, the error map as overlay, CSV."""

from __future__ import annotations

import csv
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.metrics import registry
from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs

MAP_COLOURS = "vtkMRMLColorTableNodeFileColdToHotRainbow.txt"
MAP_LOWEST, MAP_HIGHEST = 0.05, 0.5  # of the normalised range of 2
SERIES_COLOURS = ((0.12, 0.47, 0.71), (1.0, 0.5, 0.05), (0.17, 0.63, 0.17))


def rows(quality: dict) -> list[tuple[str, str, str]]:
    """(name, value, meaning) of the metrics that there are; a dash where one has no value."""
    table = []
    if quality.get("frames"):
        table.append((_("Frames"), str(len(quality["frames"])), _("The figures are means over the frames.")))
    for line in registry.lines(quality, missing=True):
        metric, meaning = line.metric, _(line.metric.help)
        if metric.key == "psnr" and quality["reference"].get("psnr_range"):
            low, high = quality["reference"]["psnr_range"]
            meaning = _("Peak signal-to-noise ratio against the reference, range {low:.4g} to {high:.4g}.").format(
                low=low, high=high
            )
        table.append((_(metric.title), line.text(precise=True), meaning))
    psnr = registry.metric("psnr")
    if "input" in psnr.floors(quality):
        value = psnr.text(psnr.floors(quality)["input"], precise=True)
        meaning = _("What the untranslated input reaches; a useful style beats it.")
        table.append((_("PSNR of the input"), value, meaning))
    for line in registry.lines(quality.get("network") or {}):
        meaning = _("Of the network's output as it is, before strength, region and adjustments.")
        table.append((_("Network: {name}").format(name=_(line.metric.title)), line.text(precise=True), meaning))
    return table


def plain_names() -> dict[str, str]:
    """What people who have not read the articles understand, by the metric's name there."""
    return {
        _("Look-Ahead Score"): _("Lost there and back"),
        _("Jigsaw Puzzle Error"): _("Lost there and back, twice"),
        _("Semantic Consistency"): _("Structure kept"),
    }


def slice_columns(quality: dict) -> list[tuple[str, list]]:
    """(name, one value a slice) of everything there is per slice."""
    return [(_(metric.slice_title), values) for metric, values in _per_slice(quality)]


def _per_slice(quality: dict) -> list[tuple[registry.Metric, list]]:
    """(metric, one value a slice, None where it was not judged)."""
    places = (quality.get("slices") or {}, (quality.get("reference") or {}).get("slices") or {})
    known = [(registry.of_slices(key), values) for place in places for key, values in place.items()]
    return [(metric, values) for metric, values in known if metric is not None and values]


def show_plot(quality: dict, result_name: str, existing: dict[str, str]) -> dict[str, str]:
    """A table node, a series a column and a chart, shown in the plot layout.

    Args:
        quality: As in a report.
        result_name: Of the node that was judged.
        existing: IDs of an earlier plot, whose nodes are used again.

    Returns:
        IDs by role. Metrics with a unit, whose scales are others, stay in the table.
    """
    columns = _per_slice(quality)
    table = _node(existing, "table", "vtkMRMLTableNode", _("{name} figures per slice").format(name=result_name))
    _fill(table, columns)
    chart = _node(existing, "chart", "vtkMRMLPlotChartNode", _("{name} figures").format(name=result_name))
    chart.RemoveAllPlotSeriesNodeIDs()
    chart.SetTitle(result_name)
    chart.SetXAxisTitle(_("Slice"))
    chart.SetYAxisTitle(_("Figure"))
    roles = {"table": table.GetID(), "chart": chart.GetID()}
    plotted = [_(metric.slice_title) for metric, values in columns if not metric.unit]
    for name, colour in zip(plotted, cycle(SERIES_COLOURS)):
        series = _node(existing, "series " + name, "vtkMRMLPlotSeriesNode", name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(_("Slice"))
        series.SetYColumnName(name)
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
        series.SetColor(*colour)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
        roles["series " + name] = series.GetID()
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    return roles


def _fill(table: Any, columns: list[tuple[registry.Metric, list]]) -> None:
    table.RemoveAllColumns()
    count = max(len(values) for metric, values in columns)
    numbered = [(_("Slice"), list(range(count)))]
    for name, values in numbered + [(_(metric.slice_title), values) for metric, values in columns]:
        array = vtk.vtkFloatArray()
        array.SetName(name)
        for value in values:
            array.InsertNextValue(float("nan") if value is None else value)
        table.AddColumn(array)


def _node(existing: dict[str, str], role: str, class_name: str, name: str) -> Any:
    node = slicer.mrmlScene.GetNodeByID(existing[role]) if role in existing else None
    return node or slicer.mrmlScene.AddNewNodeByClass(class_name, name)


def write_map(array: np.ndarray, result: Any, source: Any, map_id: str) -> Any:
    """The cycle error as a volume node.

    Args:
        array: (z, y, x), normalised intensities.
        result: The node that was judged.
        source: The input's node, on whose grid the array lies.
        map_id: ID of an earlier map, whose node is used again; may be empty.
    """
    node = slicer.mrmlScene.GetNodeByID(map_id) if map_id else None
    if node is None:
        name = _("{name} cycle error").format(name=result.GetName())
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        node.SetAttribute(outputs.ATTRIBUTE_PREFIX + "Map", "cycle error")  # no volume to translate
        outputs.place_beside(node, result)
    slicer.util.updateVolumeFromArray(node, array)
    mrml_geometry.copy(source, node)
    node.SetDescription(_("|F(G(x)) - x| in normalised intensities, range 2; 0 where nothing was judged."))
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display is not None:
        if slicer.mrmlScene.GetNodeByID(MAP_COLOURS):
            display.SetAndObserveColorNodeID(MAP_COLOURS)
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0, MAP_HIGHEST)
        display.SetThreshold(MAP_LOWEST, 2.0)
        display.SetApplyThreshold(True)
    return node


def show_map(node: object, background: object) -> None:
    """The map over a volume in every slice view."""
    slicer.util.setSliceViewerLayers(background=background, foreground=node, foregroundOpacity=0.6)


def hide_map(node_id: str) -> None:
    """No foreground in those slice views whose foreground is the map."""
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if node_id and composite.GetForegroundVolumeID() == node_id:
            composite.SetForegroundVolumeID(None)


def export_csv(path: Path, quality: dict, about: dict[str, str]) -> None:
    """Write what the panel shows and the values per slice; whole or not at all.

    Args:
        path: The file.
        quality: As in a report.
        about: Lines that stand first: key and value.

    Raises:
        OSError: It cannot be written.
    """
    with (
        replacing(path, make_folders=False) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        csv.writer(stream).writerows(_csv_lines(quality, about))


def _csv_lines(quality: dict, about: dict[str, str]) -> list[list]:
    table = [[key, value] for key, value in about.items()]
    table += [list(row) for row in rows(quality)]
    columns = slice_columns(quality)
    table += [[], [_("Slice"), *(name for name, values in columns)]]
    for index in range(max((len(values) for name, values in columns), default=0)):
        table.append([index, *("" if values[index] is None else values[index] for name, values in columns)])
    frames = [rows(frame) for frame in quality.get("frames", [])]
    if frames:
        table += [[], [_("Frame"), *(name for name, value, meaning in frames[0])]]
        table += [[number, *(value for name, value, meaning in frame)] for number, frame in enumerate(frames, 1)]
    return table

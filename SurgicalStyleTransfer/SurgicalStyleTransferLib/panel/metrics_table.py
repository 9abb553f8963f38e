"""Quality figures: rows for the panel, a table and a plot node per slice, the error map as overlay, CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from surgical_style_engine.common.atomic_write import replacing
from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs

MAP_COLOURS = "vtkMRMLColorTableNodeFileColdToHotRainbow.txt"
MAP_LOWEST, MAP_HIGHEST = 0.05, 0.5  # of the normalised range of 2


def rows(figures: dict) -> list[tuple[str, str, str]]:
    """(name, value, meaning) of the figures that there are."""
    found = []

    def add(name: str, value: object, meaning: str, pattern: str = "{:.4f}") -> None:
        found.append((name, "–" if value is None else pattern.format(value), meaning))

    if figures.get("frames"):
        found.append((_("Frames"), str(len(figures["frames"])), _("The figures are means over the frames.")))
    add(
        _("Look-Ahead Score"),
        figures["look_ahead_score"],
        _("Translated there and back: mean difference to the original, normalised intensities (range 2). 0 is best."),
    )
    add(
        _("Jigsaw Puzzle Error"),
        figures["jigsaw_puzzle_error"],
        _("The same after four translations. 0 is best."),
    )
    add(
        _("Semantic Consistency"),
        figures["semantic_consistency"],
        _("Agreement of structure between input and translation. 1 is best."),
    )
    reference = figures.get("reference")
    if reference:
        low, high = reference["psnr_range"]
        unit = " HU" if reference["compared_in"] == "HU" else ""
        add(_("MAE"), reference["mae"], _("Mean absolute difference to the reference, in its units."), "{:.4g}" + unit)
        add(
            _("PSNR"),
            reference["psnr"],
            _("Peak signal-to-noise ratio against the reference, range {low:.4g} to {high:.4g}.").format(
                low=low, high=high
            ),
            "{:.2f} dB",
        )
        add(_("SSIM"), reference["ssim"], _("Structural similarity to the reference inside the body. 1 is best."))
        add(_("MS-SSIM"), reference["ms_ssim"], _("The same over several scales. 1 is best."))
        floor = reference["floors"]["input"]
        add(
            _("PSNR of the input"),
            floor["psnr"],
            _("What the untranslated input reaches; a useful style beats it."),
            "{:.2f} dB",
        )
    return found


def slice_columns(figures: dict) -> list[tuple[str, list]]:
    """(name, one value a slice) of everything there is per slice."""
    per_slice = figures["slices"]
    named = [
        (_("Look-Ahead"), per_slice.get("look_ahead")),
        (_("Semantic Consistency"), per_slice.get("semantic_consistency")),
    ]
    if figures.get("reference"):
        named += [(key.upper(), figures["reference"]["slices"].get(key)) for key in ("mae", "psnr", "ssim")]
    return [(name, values) for name, values in named if values]


def show_plot(figures: dict, result_name: str, existing: dict[str, str]) -> dict[str, str]:
    """A table node, a series a column and a chart, shown in the plot layout; returns their IDs by role.

    existing: IDs of an earlier plot, whose nodes are used again. Figures of other scales (MAE, PSNR) stay in the table.
    """
    columns = slice_columns(figures)
    table = _node(existing, "table", "vtkMRMLTableNode", _("{name} figures per slice").format(name=result_name))
    table.RemoveAllColumns()
    count = max(len(values) for name, values in columns)
    numbers = vtk.vtkFloatArray()
    numbers.SetName(_("Slice"))
    for index in range(count):
        numbers.InsertNextValue(index)
    table.AddColumn(numbers)
    for name, values in columns:
        array = vtk.vtkFloatArray()
        array.SetName(name)
        for value in values:
            array.InsertNextValue(float("nan") if value is None else value)
        table.AddColumn(array)
    chart = _node(existing, "chart", "vtkMRMLPlotChartNode", _("{name} figures").format(name=result_name))
    chart.RemoveAllPlotSeriesNodeIDs()
    chart.SetTitle(result_name)
    chart.SetXAxisTitle(_("Slice"))
    chart.SetYAxisTitle(_("Figure"))
    made = {"table": table.GetID(), "chart": chart.GetID()}
    colours = ((0.12, 0.47, 0.71), (1.0, 0.5, 0.05), (0.17, 0.63, 0.17))
    plotted = [name for name, values in columns if name not in ("MAE", "PSNR")]
    for name, colour in zip(plotted, colours, strict=False):
        series = _node(existing, "series " + name, "vtkMRMLPlotSeriesNode", name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(_("Slice"))
        series.SetYColumnName(name)
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
        series.SetColor(*colour)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
        made["series " + name] = series.GetID()
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    return made


def _node(existing: dict[str, str], role: str, class_name: str, name: str) -> object:
    node = slicer.mrmlScene.GetNodeByID(existing[role]) if role in existing else None
    return node or slicer.mrmlScene.AddNewNodeByClass(class_name, name)


def write_map(array: np.ndarray, result: object, source: object, map_id: str) -> object:
    """The cycle error as a volume node; an earlier one is used again."""
    node = slicer.mrmlScene.GetNodeByID(map_id) if map_id else None
    if node is None:
        name = _("{name} cycle error").format(name=result.GetName())
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
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


def export_csv(path: Path, figures: dict, about: dict[str, str]) -> None:
    """Write what the panel shows and the values per slice; whole or not at all. Raises OSError."""
    with replacing(path, make_folders=False) as temporary:
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            for key, value in about.items():
                writer.writerow([key, value])
            for name, value, meaning in rows(figures):
                writer.writerow([name, value, meaning])
            writer.writerow([])
            columns = slice_columns(figures)
            writer.writerow([_("Slice"), *(name for name, values in columns)])
            for index in range(max((len(values) for name, values in columns), default=0)):
                writer.writerow([index, *("" if values[index] is None else values[index] for name, values in columns)])
            frames = [rows(entry) for entry in figures.get("frames", [])]
            if frames:
                writer.writerow([])
                writer.writerow([_("Frame"), *(name for name, value, meaning in frames[0])])
                for number, entry in enumerate(frames, 1):
                    writer.writerow([number, *(value for name, value, meaning in entry)])

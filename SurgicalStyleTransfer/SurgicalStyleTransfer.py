"""Slicer's entry to the module: the classes it looks up by name. What they do is in SurgicalStyleTransferLib."""

import sys

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from SurgicalStyleTransferLib import self_test
from SurgicalStyleTransferLib.jobs import shared_engine
from SurgicalStyleTransferLib.jobs.engine import Engine
from SurgicalStyleTransferLib.mrml.parameter_node import SurgicalStyleTransferParameterNode
from SurgicalStyleTransferLib.mrml.saved_files import SavedFiles
from SurgicalStyleTransferLib.panel.panel import Panel
from SurgicalStyleTransferLib.scripting.calls import ScriptCalls
from SurgicalStyleTransferLib.setup.contributors import contributors

LIBRARIES = ("SurgicalStyleTransferLib", "surgical_style_engine")


class SurgicalStyleTransfer(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Surgical Style Transfer")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        self.parent.dependencies = ["Plots", "Segmentations", "Sequences", "SubjectHierarchy"]
        self.parent.contributors = contributors()
        self.parent.helpText = _("""
Moves a volume into the look of another domain, such as T1-weighted into T2-weighted MR, so that images of different
origin become comparable. Select a volume and a style, then press Apply: the result is a new, synthetic volume on the
same grid. It is made for research, not for diagnosis.
See the <a href="{url}">tutorial</a>.
""").format(url="https://github.com/SurgicalStyleTransfer/SlicerSurgicalStyleTransfer/blob/main/docs/tutorial.md")
        self.parent.acknowledgementText = _("""
The shipped brain styles are local tone curves (after Gharbi et al., SIGGRAPH 2017) that were trained on the openly
licensed MR volumes named in their cards; styles trained without pairs are cycle-consistent networks (Zhu et al., ICCV
2017).
""")
        self._savedFiles = None
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        """A scene with synthetic volumes may be loaded and saved again without this module ever being opened."""
        self._savedFiles = SavedFiles(slicer.mrmlScene)


class SurgicalStyleTransferWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel in Slicer's window."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        """The module is shown for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SurgicalStyleTransfer.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        # The .ui file hands the scene on to every node selector.
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = SurgicalStyleTransferLogic()
        self.panel = Panel(self.ui, self.logic.engine)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self.onNodeRemoved)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneImported)
        self.initializeParameterNode()

    def cleanup(self):
        """The application closes or the module is reloaded."""
        self.setParameterNode(None)
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()
            self.panel = None

    def enter(self):
        """The module is shown."""
        self.initializeParameterNode()
        self.panel.enter()

    def exit(self):
        """Another module is shown: parameters no longer move the widgets."""
        if self.panel is not None:
            self.panel.exit()
        self.disconnectParameterNode()

    def onReload(self):
        """Slicer executes this file anew; without the libraries' modules gone, it would find the old ones."""
        for name in [name for name in sys.modules if name.partition(".")[0] in LIBRARIES]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event):
        if self.panel is not None:
            self.panel.scene_closing()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneImported(self, caller, event):
        """A loaded scene may have brought other parameters into the same node."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, caller, event, node):
        if self.panel is not None and not slicer.mrmlScene.IsClosing():
            self.panel.node_removed(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller, event, node):
        if self.panel is None or not node.IsA("vtkMRMLVolumeNode") or slicer.mrmlScene.IsBatchProcessing():
            return
        self.panel.node_added(node)

    def initializeParameterNode(self):
        """Show the scene's parameters; an untouched panel starts with the first volume."""
        self.setParameterNode(self.logic.getParameterNode())
        self.panel.inputs.choose()

    def disconnectParameterNode(self):
        if self._parameterNodeGuiTag is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None
            node = self._parameterNode.parameterNode
            self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)

    def setParameterNode(self, parameterNode):
        self.disconnectParameterNode()
        self._parameterNode = parameterNode
        if parameterNode is not None:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            # The node itself: the mixin would keep the wrapper, which keeps observers of its own, for ever.
            self.addObserver(parameterNode.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
        if self.panel is not None:
            self.panel.set_parameters(parameterNode)

    def onParametersChanged(self, caller=None, event=None):
        if self.panel is not None:
            self.panel.update()


class SurgicalStyleTransferLogic(ScriptCalls, ScriptedLoadableModuleLogic):
    """For scripts too: ``logic.translate(node, style="brain-mr-t1w-t2w")``. All logics share one engine."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self._engine = None

    @property
    def engine(self):
        if self._engine is None:
            self._engine = shared_engine.acquire(lambda: Engine())
        return self._engine

    def getParameterNode(self):
        return SurgicalStyleTransferParameterNode(super().getParameterNode())


class SurgicalStyleTransferTest(ScriptedLoadableModuleTest):
    """Runs inside Slicer ("Reload and Test", ctest); what is tested is in SurgicalStyleTransferLib.self_test."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        tests = self.test_exchange, self.test_output, self.test_saved_file, self.test_cards, self.test_worker
        for test in (*tests, self.test_shipped_style):
            self.setUp()
            self.delayDisplay(test.__name__)
            test()
        self.delayDisplay(_("Test passed"))

    def test_exchange(self):
        self_test.a_volume_comes_back_from_the_exchange_as_it_went(self)

    def test_output(self):
        self_test.an_output_lies_on_its_inputs_grid_and_says_that_it_is_synthetic(self)

    def test_saved_file(self):
        self_test.a_saved_file_says_that_it_is_synthetic(self)

    def test_cards(self):
        self_test.cards_are_read_and_damaged_ones_named(self)

    def test_worker(self):
        self_test.the_worker_refuses_a_damaged_style_and_the_scene_stays(self)

    def test_shipped_style(self):
        self_test.a_shipped_style_translates(self)

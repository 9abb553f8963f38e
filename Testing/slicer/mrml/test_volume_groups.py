"""Which volumes of a scene belong together, and which are no volumes to translate."""


def test_patients_studies_and_folders_that_hold_acquired_volumes(slicer_app, scene, module, volume):
    from SurgicalStyleTransferLib.mrml import outputs, volume_groups

    hierarchy = slicer_app.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    study, other = (hierarchy.CreateStudyItem(patient, name) for name in ("Before", "After"))
    hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Empty")
    first, second, alone = volume("First"), volume("Second"), volume("Alone")
    hidden, result, labels = volume("Hidden"), volume("Result"), volume("L", class_name="vtkMRMLLabelMapVolumeNode")
    hidden.SetHideFromEditors(True)
    result.SetAttribute(outputs.ATTRIBUTE_PREFIX + "Synthetic", "yes")
    for node in (first, hidden, result, labels):
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), study)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(second), other)
    assert [name for name, _item in volume_groups.groups()] == ["", "Patient", "Before", "After"]
    assert volume_groups.volumes_in(study) == [first] and volume_groups.volumes_in(patient) == [first, second]
    whole = volume_groups.volumes_in(volume_groups.groups()[0][1])
    assert sorted(node.GetName() for node in whole) == ["Alone", "First", "Second"] and alone in whole
    assert not volume_groups.is_translatable(None)

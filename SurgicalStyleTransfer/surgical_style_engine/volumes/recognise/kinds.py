"""The kinds of image that are told apart, and the words that name them."""

from __future__ import annotations

import re

T1W, T1W_GD, T2W, FLAIR = "T1w", "T1w-Gd", "T2w", "FLAIR"
CT, RADIOGRAPH, PICTURE, OTHER = "CT", "radiograph", "picture", "other"
KINDS = (T1W, T1W_GD, T2W, FLAIR, CT, RADIOGRAPH, PICTURE, OTHER)  # in the order of the network's outputs
CONTRASTS = (T1W, T1W_GD, T2W, FLAIR)
NOT_KNOWN = ""

# DICOM's codes of what images are taken by; others, such as OT, say nothing of the kind.
IMAGING = frozenset({"MR", "CT", "PT", "NM", "US", "DX", "XA", "MG"})

_MODALITIES = {CT: "CT", RADIOGRAPH: "DX", PICTURE: ""}
_RADIOGRAPHS = {"CR", "DX", "DR", "RG"}
_PICTURES = {"XC", "GM", "OP", "ES", "SM"}

# Words as whole parts of a name: "t1", "T1w", "ce-T1w", "t1_mprage", "SPGR"; "t1" within a longer word counts not.
_FLAIR_WORDS = {"flair", "tirm", "darkfluid"}
_T2_WORDS = {"t2", "t2w", "t2wi", "t2tse", "t2fse", "t2weighted"}
_T1_WORDS = {
    "t1",
    "t1w",
    "t1wi",
    "t1se",
    "t1tse",
    "t1weighted",
    "mprage",
    "mp2rage",
    "spgr",
    "bravo",
    "tfl3d",
    "t1fl2d",
}
_GD_WORDS = {
    *("gd", "gad", "gado", "gadolinium", "gadovist", "dotarem", "magnevist", "ce", "km", "post", "postcontrast"),
    *("contrast", "enhanced", "t1c", "t1ce", "t1gd", "t1post", "t1km", "t1wgd", "t1wce", "t1wc", "t1cw"),
}
_WITHOUT_WORDS = {"pre", "precontrast", "nativ", "native", "unenhanced", "without", "non", "no", "noncontrast"}
_OTHER_WORDS = {
    *("pd", "pdw", "dwi", "adc", "dti", "trace", "swi", "swan", "t2star", "t2*", "t2w*", "t2s", "bold", "asl", "tof"),
    *("perf", "perfusion", "mra", "fieldmap", "phase", "stir", "t2starw", "pdwi"),
}
_CT_WORDS = {"ct", "cbct", "hu"}
_RADIOGRAPH_WORDS = {"xray", "radiograph", "cr", "dx", "cxr"}


def modality_of(kind: str) -> str:
    """DICOM's code of a kind's modality; empty for pictures and what is not known.

    >>> modality_of("T2w"), modality_of("CT"), modality_of("picture")
    ('MR', 'CT', '')
    """
    return "MR" if kind in (*CONTRASTS, OTHER) else _MODALITIES.get(kind, "")


def kind_of_modality(modality: str) -> str:
    """The kind that a DICOM modality alone decides; NOT_KNOWN for MR, which has several, and others."""
    code = modality.strip().upper()
    if code in _RADIOGRAPHS:
        return RADIOGRAPH
    return CT if code == "CT" else PICTURE if code in _PICTURES else NOT_KNOWN


def plain_modality(text: str) -> str:
    """DICOM's code in capitals, one for all kinds of radiographs.

    >>> plain_modality(" cr "), plain_modality("MR")
    ('DX', 'MR')
    """
    code = text.strip().upper()
    return "DX" if code in _RADIOGRAPHS else code


def kind_of_domain(name: str, modality: str = "", units: str = "") -> str:
    """The kind of image that a style's domain holds.

    Args:
        name: the domain's, as whoever made the style called it.
        modality: DICOM's; may be empty.
        units: of its voxels; may be empty.

    Returns:
        One of KINDS; NOT_KNOWN where the name says no contrast.

    >>> kind_of_domain("T1-weighted, Gd", "MR"), kind_of_domain("T2w"), kind_of_domain("scanner B", "MR")
    ('T1w-Gd', 'T2w', '')
    """
    kind = kind_of_modality(modality)
    if kind:
        return kind
    if units.strip().upper() == "HU" and not modality:
        return CT
    named = kind_of_words(name)
    return named if not modality or modality_of(named) == modality.strip().upper() else NOT_KNOWN


def kind_of_words(text: str) -> str:
    """The kind that a file's name, a node's name or a series description says.

    Args:
        text: such as "sub-03_ce-gadolinium_T1w.nii.gz" (BIDS) or "AX T2 FLAIR FS".

    Returns:
        One of KINDS; OTHER for MR of other contrasts (PD, DWI, ...), NOT_KNOWN where nothing, or more than one thing,
        is said.

    >>> kind_of_words("p1_T1.nii.gz"), kind_of_words("AX T2 FLAIR"), kind_of_words("head_DWI"), kind_of_words("p1")
    ('T1w', 'FLAIR', 'other', '')
    """
    words = _words(text)
    if words & _OTHER_WORDS:
        return OTHER
    with_gd = bool(words & _GD_WORDS) and not words & _WITHOUT_WORDS
    is_t1 = bool(words & _T1_WORDS) or any(word.startswith("t1") and word in _GD_WORDS for word in words)
    is_flair, is_t2 = bool(words & _FLAIR_WORDS), bool(words & _T2_WORDS)
    is_ct, is_radiograph = bool(words & _CT_WORDS), bool(words & _RADIOGRAPH_WORDS)
    mr = FLAIR if is_flair and not is_t1 else NOT_KNOWN
    if not is_flair and is_t1 != is_t2:
        mr = T2W if is_t2 else T1W_GD if with_gd else T1W
    kinds = [kind for kind in (mr, CT if is_ct else "", RADIOGRAPH if is_radiograph else "") if kind]
    return kinds[0] if len(kinds) == 1 else NOT_KNOWN


def says_synthetic(text: str) -> bool:
    """Whether a name says that the image is synthetic.

    >>> says_synthetic("p1_T1_synthetic.nii.gz"), says_synthetic("photosynthesis.png")
    (True, False)
    """
    return bool(_words(text) & {"synthetic", "synthesised", "synthesized", "synth", "fake", "pseudo"})


def same_family(first: str, second: str) -> bool:
    """Whether two kinds are the same but for a contrast agent."""
    return first == second or {first, second} == {T1W, T1W_GD}


def _words(text: str) -> set[str]:
    """The parts of a name in lower case, and neighbours together ("T1" + "CE", "dark" + "fluid")."""
    plain = re.sub(r"weighted|wgt", "w", text.lower().replace("+c", " gd ").replace("+gd", " gd "))
    plain = re.sub(r"post[ _-]?op\b", "", plain)  # after surgery, not after a contrast agent
    parts = re.findall(r"[a-z]+\d*[a-z]*\d*\*?|\d+", plain)
    joined = {first + second for first, second in zip(parts, parts[1:], strict=False)}
    capitals = {part.lower() for part in _IN_CAPITALS.findall(text)}
    return {*parts, *(word for word in joined if word in _KNOWN), *capitals}


# "MRBrainT1" has "t1", "CTBrain" has "ct".
_IN_CAPITALS = re.compile(r"(?<=[a-z])(?:T1|T2|FLAIR|CT)\b|\b(?:T1|T2|FLAIR|CT)(?=[A-Z][a-z])")
_KNOWN = _FLAIR_WORDS | _T2_WORDS | _T1_WORDS | _GD_WORDS | _OTHER_WORDS

"""Registration through translation beside mutual information: known motions and deformations of left-out patients."""

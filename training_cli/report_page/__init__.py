"""The assessment page: one self-contained HTML file from a report, and the maps that its pictures are made of."""

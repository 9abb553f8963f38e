"""`sst harmonise`: scans of one contrast from many scanners in one look."""

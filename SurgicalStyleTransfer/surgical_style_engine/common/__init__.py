"""What every layer needs: atomic writes, thresholds, memory kept by the C library, whether PyTorch is here."""

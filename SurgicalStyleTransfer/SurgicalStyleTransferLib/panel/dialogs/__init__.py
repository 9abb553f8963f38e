"""What the panel asks in windows of their own; each is deleted when it was answered."""

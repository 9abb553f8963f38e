"""``python -m surgical_style_engine.worker`` serves the panel."""

from .server import main

if __name__ == "__main__":
    main()

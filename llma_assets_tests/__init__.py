"""Tests of `llma_assets`: a test of a module is where the module would be looked for."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
FIXTURES = Path(__file__).parent / "fixtures"

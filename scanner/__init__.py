"""The engine of arguard: from policies and a source to verdicts and a decision. Private to the distribution."""

__version__ = "0.1.0"

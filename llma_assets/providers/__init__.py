"""Who summarizes, embeds and names, chosen by settings: one file for each, a class that registers under its name."""

from importlib import import_module
from pkgutil import iter_modules

from llma_assets.providers.provider import Work, asking_server, embedder_of, labeler_of, names, summarizer_of

__all__ = ["Work", "asking_server", "embedder_of", "labeler_of", "names", "summarizer_of"]

# A provider is a class in a file of this folder. Only the setting of its kind names it as well, among its choices.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

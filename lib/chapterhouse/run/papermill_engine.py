"""``papermill --engine warm``: papermill's own way, but for kernels forked from a warmed process.

papermill finds it by its entry point. Import `papermill.engines` before this module: that loads
every engine, this one included.
"""

from __future__ import annotations

from typing import Any

from papermill.engines import NBClientEngine


class WarmEngine(NBClientEngine):
    """Executes a notebook in this interpreter, whatever kernel its metadata names."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
        """Execute as papermill does, with `chapterhouse.run.warm.WarmKernelManager`."""
        from chapterhouse.run.warm import WarmKernelManager

        return super().execute_managed_notebook(
            nb_man, kernel_name, kernel_manager_class=WarmKernelManager, **kwargs
        )

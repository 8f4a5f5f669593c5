"""What the tests' JupyterLab starts kernels with: copies of a process that has the imports, where it can."""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

from scenelens.workbook.kernels import _NotebookKernel, _Provisioner

_NotebookKernel.prepare()


class CopiedKernel(ServerKernelManager):
    """A kernel of the server that is started as those of the workbook's pages are."""

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None:  # not at a restart
            self.provisioner = _Provisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**options)

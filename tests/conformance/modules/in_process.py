"""Modules in this process, with what they raise told as a child process would tell it."""

from functools import cache

from sasakit.conformance.diagnosis.diagnose import diagnose
from sasakit.conformance.diagnosis.instance import ModuleError
from sasakit.conformance.doors.torch_module import TorchBuilder


class InProcess(TorchBuilder):
    def build(self, sizes, said=None):
        instance = super().build(sizes, said)
        run = instance.run

        def told(*arguments):
            try:
                return run(*arguments)
            except Exception as error:
                raise ModuleError(f"{type(error).__name__}: {error}") from error
        instance.run = told
        return instance


@cache
def diagnosed(module):
    """Builder and diagnosis of a module class, found once."""
    builder = InProcess(module)
    return builder, diagnose(builder)

"""Commands that do not outlive the process that starts them, however it ends."""

import shutil
import sys
from collections.abc import Sequence


def tethered(command: Sequence[str], signal: str = "KILL", *, uid: int | None = None) -> list[str]:
    """`command`, to be sent `signal` by the kernel when its parent dies, SIGKILL of the parent included.

    With `uid` the command runs as that user (which takes root) and keeps one right of root's: to pass through folders
    that are closed to others, such as /root. Where there is no `setpriv` (util-linux, on every Debian), as on a Mac,
    the command runs as it is, and what a killed launcher leaves is ended by the next one.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        return list(command)
    identity: list[str] = []
    if uid is not None:
        rights = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        identity = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *rights]
    return [setpriv, *identity, "--pdeathsig", signal, "--", *command]

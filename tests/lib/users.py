"""Servers of another user than the tests': root may do what others may not."""
import os
import shutil

import harness

NOBODY = 65534
AS_NOBODY = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups",
             "--inh-caps=-all"]


def copy_binary(directory):
    """Where the user nobody may run it: the build may not be readable to all."""
    return shutil.copy(harness.BINARY, os.path.join(directory, "binary"))

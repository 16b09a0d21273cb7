"""Become another program that ends when its parent does. Run as a script, with nothing but the standard library.

The parent-death signal has to be asked for by the child, after it has given up root's rights (a change of user clears
it) and before it becomes the program. ``subprocess`` could do that in ``preexec_fn``, which is not safe once threads
run; so this script stands between: it changes the user, asks for the signal and then *becomes* the program, under the
same process id.

    python -I -S launch.py PARENT_PID SIGNAL USER_ID GROUP_ID PROGRAM [ARGUMENT ...]

``USER_ID`` and ``GROUP_ID`` are ``-`` for "stay who you are".
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_LAUNCH = 126


def main(arguments: list[str]) -> None:
    """Do what the module says, with the arguments in its order. Ends the process with 126 when it cannot."""
    parent_pid, death_signal, user_id, group_id = arguments[:4]
    command = arguments[4:]
    try:
        if user_id != "-":
            os.setgroups([])
            os.setgid(int(group_id))
            os.setuid(int(user_id))
        die_with_parent(int(death_signal))
        if os.getppid() != int(parent_pid):
            # The parent died before the signal was asked for: nobody would ever stop this process.
            sys.exit(CANNOT_LAUNCH)
        # Python ignores these two at its start, and what is ignored stays ignored in the program it becomes.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"Cannot start {command[0]}: {error}\n")
        sys.exit(CANNOT_LAUNCH)


def die_with_parent(death_signal: int) -> None:
    """Ask the kernel to send ``death_signal`` to this process when the thread that started it ends.

    Raises ``OSError`` where the kernel refuses.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")


if __name__ == "__main__":
    main(sys.argv[1:])

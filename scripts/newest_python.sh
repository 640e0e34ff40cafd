#!/bin/sh
# Prints the newest Python of 3.13, 3.12, 3.11 that really starts: XGBoost trains quantiles far faster from 3.12 on.
# A pyenv shim may lie on the PATH for a version that is not active, so each candidate is run, not just looked up.
tell="import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.executable)"
for version in 3.13 3.12 3.11; do
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/$version.*/bin/python python3; do
        found=$("$candidate" -c "$tell" 2>/dev/null) || continue
        case $found in "$version "*) echo "${found#* }"; exit 0 ;; esac
    done
done
echo "C2M needs Python 3.11, 3.12 or 3.13; none was found on the PATH or under pyenv." >&2
exit 1

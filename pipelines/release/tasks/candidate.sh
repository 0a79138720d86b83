#!/usr/bin/env bash
# Checks out the commit of the candidate that was promoted: what was tested is what is released, whatever came after it.
set -euo pipefail

cp -a repo/. source
git -C source checkout --quiet --detach "$(cat promote-rc/candidate)"
git -C source rev-parse HEAD >source/.git/ref # as a get of that commit has it

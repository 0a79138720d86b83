#!/usr/bin/env bash
# Runs a command that leaves files in the folder $OUTPUT, with the version in its environment.
set -euo pipefail

export OUTPUT=$PWD/output
set -a
# shellcheck source=/dev/null
. build/args
set +a
cd repo
bash -euo pipefail -c "$COMMAND"
